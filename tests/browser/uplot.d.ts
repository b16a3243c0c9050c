// A script of its own, loaded before the modules: see index.html.
declare const uPlot: any;
