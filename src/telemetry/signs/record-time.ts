/**
 * Reads the times of records, `2026-11-24T04:05:06.123Z`, to milliseconds since the epoch. Most records share
 * their second with the one before, and parsing a date costs as much as all rules together.
 */
export function createRecordTime(): (text: string) => number {
  let second = "";
  let secondMs = Number.NaN;
  return (text) => {
    if (text.length !== TEXT_LENGTH) return Date.parse(text);
    if (!text.startsWith(second) || second === "") {
      second = text.slice(0, SECOND_LENGTH);
      secondMs = Date.parse(`${second}.000Z`);
    }
    const rest =
      (text.charCodeAt(20) - ZERO) * 100 +
      (text.charCodeAt(21) - ZERO) * 10 +
      (text.charCodeAt(22) - ZERO);
    return secondMs + rest;
  };
}

const TEXT_LENGTH = 24;
const SECOND_LENGTH = 19;
const ZERO = 48;
