"""The service's routes, a file for each family; :mod:`quark.service.app` lists them."""
