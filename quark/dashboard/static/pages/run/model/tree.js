// From the modules of a model, in their order, to the lines of a tree.

/**
 * @typedef {object} Module
 * @property {string} name  with dots; "" is the model itself
 * @property {string} type
 * @property {number} own  parameters of its own
 * @property {number} count  parameters in it and below
 * @property {number} trainable
 * @property {Record<string, number[]>} shapes
 * @property {string} settings
 * @property {number[][]} outputs
 * @property {number} calls
 * @property {boolean} measured
 * @property {string} [alert]
 */

/**
 * @typedef {object} Node
 * @property {Module} module
 * @property {Node[]} below
 * @property {Node | null} above
 * @property {number} depth
 * @property {string} short  its name within the one above
 */

/** @param {Module[]} modules @returns {Node[]}  the roots, mostly one */
export function treeOf(modules) {
  const nodes = new Map();
  const roots = [];
  for (const module of modules) {
    const above = module.name === "" ? null : nearest(nodes, module.name);
    const short = module.name === "" ? "" : above && above.module.name ? module.name.slice(above.module.name.length + 1) : module.name;
    const node = { module, below: [], above, depth: above ? above.depth + 1 : 0, short };
    nodes.set(module.name, node);
    if (above) above.below.push(node);
    else roots.push(node);
  }
  return roots;
}

function nearest(nodes, name) {
  let above = name;
  while (above) {
    above = above.includes(".") ? above.slice(0, above.lastIndexOf(".")) : "";
    if (nodes.has(above)) return nodes.get(above);
  }
  return null;
}

/**
 * The lines to be shown: what is below a closed node is not.
 * @param {Node[]} roots @param {(node: Node) => boolean} isOpen @returns {Node[]}
 */
export function linesOf(roots, isOpen) {
  const lines = [];
  const waiting = [...roots].reverse();
  while (waiting.length) {
    const node = /** @type {Node} */ (waiting.pop());
    lines.push(node);
    if (isOpen(node)) waiting.push(...[...node.below].reverse());
  }
  return lines;
}

/**
 * The nodes that a search finds, with everything above them.
 * @param {Node[]} roots @param {string} text
 */
export function found(roots, text) {
  const wanted = text.toLowerCase();
  const hits = new Set();
  const shown = new Set();
  const visit = (node) => {
    const is = `${node.module.name} ${node.module.type}`.toLowerCase().includes(wanted);
    if (is) hits.add(node);
    const below = node.below.map(visit).some(Boolean);
    if (is || below) shown.add(node);
    return is || below;
  };
  roots.forEach(visit);
  return { hits, shown };
}

/**
 * How a tree begins: open as far as some lines have room.
 * @param {Node[]} roots @param {number} room
 */
export function firstOpen(roots, room) {
  const open = new Set();
  let lines = roots.length;
  const waiting = [...roots];
  while (waiting.length) {
    const node = /** @type {Node} */ (waiting.shift());
    if (!node.below.length || lines + node.below.length > room) continue;
    open.add(node.module.name);
    lines += node.below.length;
    waiting.push(...node.below);
  }
  return open;
}
