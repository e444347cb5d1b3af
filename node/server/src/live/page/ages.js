// How old a report may be before it looks so.

const MINUTE_S = 60;

/** In ascending order; `below` is a number of seconds. */
export const AGES = [
  { name: "fresh", below: MINUTE_S, words: "less than 1 min old" },
  { name: "late", below: 15 * MINUTE_S, words: "less than 15 min old" },
  { name: "old", below: Infinity, words: "15 min or older" },
];

/** The class of a report made at `timeS`, at a time of the server's clock. */
export function ageOf(timeS, nowS) {
  if (timeS === null || timeS === undefined) return AGES.at(-1);
  return AGES.find(({ below }) => nowS - timeS < below);
}
