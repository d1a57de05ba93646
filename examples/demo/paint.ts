/** Colours, only where a person looks at a terminal and has not asked for none (no-color.org). */

const coloured =
  process.stdout.isTTY && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb";

export const bold = paint(1, 22);
export const dim = paint(2, 22);
export const red = paint(31, 39);
export const green = paint(32, 39);
export const yellow = paint(33, 39);

function paint(on: number, off: number): (text: string) => string {
  return coloured ? (text) => `\u001B[${on}m${text}\u001B[${off}m` : (text) => text;
}
