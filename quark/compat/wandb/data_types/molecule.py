"""``wandb.Molecule``: the structure of a molecule, in one of the field's file formats."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import PurePath
from typing import Any, ClassVar

from quark.compat.wandb.data_types.base import captions_of
from quark.compat.wandb.data_types.contents import Content
from quark.compat.wandb.data_types.file_media import FileMedia
from quark.errors import MissingDependencyError


class Molecule(FileMedia):
    """One molecule.

    Args:
        data_or_path: The path of a file, or a file object. One that has a ``name`` is taken from
            there.
        caption: A text to show with it.
        file_type: Its format, without a dot; has to be given with a file object without a name.

    Raises:
        ValueError: The format is not one of :attr:`SUPPORTED_TYPES`, or ``data_or_path`` is no
            file.
        OSError: The file cannot be read.
    """

    _log_type = "molecule-file"
    _folder = "media/molecule"
    SUPPORTED_TYPES: ClassVar[frozenset[str]] = frozenset(
        {"pdb", "pqr", "mmcif", "mcif", "cif", "sdf", "sd", "gro", "mol2", "mmtf"}
    )
    SUPPORTED_RDKIT_TYPES: ClassVar[frozenset[str]] = frozenset({"mol", "sdf"})

    def __init__(
        self, data_or_path: Any, caption: str | None = None, *, file_type: str | None = None
    ) -> None:
        if hasattr(data_or_path, "read") and isinstance(getattr(data_or_path, "name", None), str):
            data_or_path = data_or_path.name
        if hasattr(data_or_path, "read"):
            extension = _checked(file_type)
            content = Content.of(read_all(data_or_path))
        elif isinstance(data_or_path, (str, os.PathLike)):
            path = PurePath(os.fspath(data_or_path))
            extension = _checked(path.suffix[1:])
            content = Content.at(path)
        else:
            raise ValueError(
                f"A molecule is the path of a file or a file object, not "
                f"{type(data_or_path).__name__}."
            )
        super().__init__(content, f".{extension}", caption)

    @classmethod
    def from_rdkit(
        cls,
        data_or_path: Any,
        caption: str | None = None,
        convert_to_3d_and_optimize: bool = True,
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> Molecule:
        """Return a molecule of rdkit's, or one of its files (``mol``, ``sdf``), as PDB.

        Args:
            convert_to_3d_and_optimize: Whether hydrogens are added and the atoms are placed in
                space; may take long.

        Raises:
            ValueError: It is neither.
            MissingDependencyError: rdkit is not installed.
        """
        chem, all_chem = _rdkit("rdkit.Chem"), _rdkit("rdkit.Chem.AllChem")
        molecule = data_or_path
        if isinstance(data_or_path, (str, os.PathLike)):
            path = PurePath(os.fspath(data_or_path))
            if path.suffix[1:] not in cls.SUPPORTED_RDKIT_TYPES:
                raise ValueError(f"{path.name!r} is no file of rdkit's: it must be .mol or .sdf.")
            if path.suffix == ".sdf":
                molecule = next(iter(chem.SDMolSupplier(str(path))))
            else:
                molecule = chem.MolFromMolFile(str(path))
        elif not isinstance(data_or_path, chem.rdchem.Mol):
            raise TypeError(f"{type(data_or_path).__name__} is no molecule of rdkit's and no path.")
        if convert_to_3d_and_optimize:
            molecule = chem.AddHs(molecule)
            all_chem.EmbedMolecule(molecule)
            all_chem.MMFFOptimizeMolecule(molecule, maxIters=mmff_optimize_molecule_max_iterations)
        block = io.StringIO(chem.rdmolfiles.MolToPDBBlock(molecule))
        return cls(block, caption=caption, file_type="pdb")

    @classmethod
    def from_smiles(
        cls,
        data: str,
        caption: str | None = None,
        sanitize: bool = True,
        convert_to_3d_and_optimize: bool = True,
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> Molecule:
        """Return the molecule that a SMILES text names.

        Raises:
            ValueError: The text cannot be parsed.
            MissingDependencyError: rdkit is not installed.
        """
        molecule = _rdkit("rdkit.Chem").MolFromSmiles(data, sanitize=sanitize)
        if molecule is None:
            raise ValueError(f"{data!r} cannot be parsed as SMILES.")
        return cls.from_rdkit(
            molecule, caption, convert_to_3d_and_optimize, mmff_optimize_molecule_max_iterations
        )

    @classmethod
    def _listed(cls, values: Sequence[Any], kept: list[dict[str, Any]]) -> dict[str, Any]:
        names = [fields["path"] for fields in kept]
        captions = captions_of(values)
        return {"_type": "molecule", "filenames": names, "count": len(kept), "captions": captions}


def read_all(file: Any) -> bytes:
    """Return all that a file object has, from its beginning."""
    if hasattr(file, "seek"):
        file.seek(0)
    content = file.read()
    return content.encode() if isinstance(content, str) else bytes(content)


def _checked(extension: str | None) -> str:
    if extension not in Molecule.SUPPORTED_TYPES:
        raise ValueError(
            f"The format of a molecule is {extension!r}, but must be one of "
            f"{', '.join(sorted(Molecule.SUPPORTED_TYPES))}; for a file object pass file_type=."
        )
    return extension


def _rdkit(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "wandb.Molecule.from_rdkit and from_smiles need the package 'rdkit', which is not "
            "installed. Install it with: pip install rdkit",
            name=error.name,
        ) from error
