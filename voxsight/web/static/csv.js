// Tables for spreadsheets, which must not take a file's name for a formula.

const COLUMNS = ["path", "label", "p_female", "speech_s", "duration_s", "error"];
const TIMELINE = ["start_s", "end_s", "label", "p_female"];

function cell(value) {
  if (value === null || value === undefined) return "";
  let text = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function table(columns, rows) {
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column]))];
  return lines.map((line) => line.map(cell).join(",") + "\n").join("");
}

/** Rows of answers as CSV, in the order of columns of `deploy`. */
export function answers(rows) {
  const more = new Set(rows.flatMap(Object.keys));
  COLUMNS.forEach((column) => more.delete(column));
  return table([...COLUMNS, ...more], rows);
}

export const timeline = (segments) => table(TIMELINE, segments);

/** An address for a link that saves a text. Release it with URL.revokeObjectURL. */
export const address = (text) => URL.createObjectURL(new Blob([text], { type: "text/csv" }));
