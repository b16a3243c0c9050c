// What a program tells a terminal about colours, as pieces of text with the names of styles. Colours
// become the nearest of eight that can be read in both themes; everything else is left out.

const NAMES = ["gray", "red", "green", "yellow", "blue", "magenta", "cyan", "gray"];
// eslint-disable-next-line no-control-regex
const SEQUENCE = /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;

/** @typedef {{ text: string, css: string }} Piece */

/** @param {string} line @returns {Piece[]} */
export function pieces(line) {
  if (!line.includes("\x1b")) return [{ text: line, css: "" }];
  /** @type {Piece[]} */
  const found = [];
  const style = { color: "", bold: false, faint: false, italic: false, underline: false };
  let from = 0;
  const push = (text) => {
    if (text) found.push({ text, css: css(style) });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    push(line.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] === "m") change(style, match[1]);
  }
  push(line.slice(from));
  return found;
}

/** A line as the terminal shows it, without colours. @param {string} line */
export function plain(line) {
  return pieces(line).map((piece) => piece.text).join("");
}

/** @param {any} style */
function css(style) {
  const { color, bold, faint, italic, underline } = style;
  return [color && `ansi-${color}`, bold && "ansi-bold", faint && "ansi-faint", italic && "ansi-italic", underline && "ansi-underline"].filter(Boolean).join(" ");
}

/** @param {any} style @param {string} parameters */
function change(style, parameters) {
  const codes = parameters.split(/[;:]/).map((code) => Number(code) || 0);
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at];
    if (code === 0) Object.assign(style, { color: "", bold: false, faint: false, italic: false, underline: false });
    else if (code === 1) style.bold = true;
    else if (code === 2) style.faint = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 22) style.bold = style.faint = false;
    else if (code === 23) style.italic = false;
    else if (code === 24) style.underline = false;
    else if (code === 39) style.color = "";
    else if (code >= 30 && code <= 37) style.color = NAMES[code - 30];
    else if (code >= 90 && code <= 97) style.color = NAMES[code - 90];
    else if (code === 38 || code === 48) {
      const isPalette = codes[at + 1] === 5;
      const color = isPalette ? ofPalette(codes[at + 2] ?? 0) : nearest(codes[at + 2] ?? 0, codes[at + 3] ?? 0, codes[at + 4] ?? 0);
      if (code === 38) style.color = color;
      at += isPalette ? 2 : 4;
    }
  }
}

/** @param {number} index */
function ofPalette(index) {
  if (index < 16) return NAMES[index % 8];
  if (index >= 232) return "gray";
  const rest = index - 16;
  return nearest(Math.floor(rest / 36) * 51, (Math.floor(rest / 6) % 6) * 51, (rest % 6) * 51);
}

/** @param {number} red @param {number} green @param {number} blue */
function nearest(red, green, blue) {
  const high = Math.max(red, green, blue);
  const low = Math.min(red, green, blue);
  if (high - low < 40) return "gray";
  const middle = (high + low) / 2;
  const bits = (red > middle ? 1 : 0) + (green > middle ? 2 : 0) + (blue > middle ? 4 : 0);
  return ["gray", "red", "green", "yellow", "blue", "magenta", "cyan", "gray"][bits];
}
