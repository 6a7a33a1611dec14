// The edit that leads from one text to another, as words that are kept, removed and inserted.

const PIECES = /\s+|\[REDACTED\]|[\p{L}\p{M}\p{N}'’-]+|./gsu;

/** Runs [tag, words] that lead from one text to the other; tag is "del", "ins" or "". */
function difference(before, after) {
  const [a, b] = [before, after].map((words) => words.match(PIECES) ?? []);
  const least = Math.min(a.length, b.length);
  let head = 0;
  while (head < least && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < least - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  const [removed, inserted] = [a, b].map((words) => words.slice(head, words.length - tail));
  const kept = (words) => words.map((word) => ["", word]);
  return joined([
    ...kept(a.slice(0, head)),
    ...aligned(removed, inserted),
    ...kept(a.slice(a.length - tail)),
  ]);
}

/** Keeps a longest common subsequence. */
function aligned(a, b) {
  if (a.length * b.length > 4e6) return [["del", a.join("")], ["ins", b.join("")]];
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width); // of a from i and b from j
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      common[i * width + j] =
        a[i] === b[j]
          ? common[(i + 1) * width + j + 1] + 1
          : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
  const runs = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length)
    if (a[i] === b[j]) runs.push(["", a[i++]]), j++;
    else if (common[(i + 1) * width + j] >= common[i * width + j + 1]) runs.push(["del", a[i++]]);
    else runs.push(["ins", b[j++]]);
  return [
    ...runs,
    ...a.slice(i).map((word) => ["del", word]),
    ...b.slice(j).map((word) => ["ins", word]),
  ];
}

function joined(pieces) {
  const runs = [];
  for (const [tag, word] of pieces)
    if (runs.at(-1)?.[0] === tag) runs.at(-1)[1] += word;
    else runs.push([tag, word]);
  return runs;
}
