// What a version is called, and which of two is newer: as Debian's rules have it, for packages and updates are compared
// with each other (deb-version(7), without epochs).

/** A version is the name of a folder, too. */
const SHAPE = /^\d[0-9A-Za-z.+~]{0,30}(-[0-9A-Za-z.+~]{1,15})?$/

export function isVersion(text: unknown): text is string {
  return typeof text === 'string' && SHAPE.test(text)
}

/** Below 0: the first is older. 0: neither is. */
export function compareVersions(a: string, b: string): number {
  const [first, firstRevision] = split(a)
  const [second, secondRevision] = split(b)
  return comparePart(first, second) || comparePart(firstRevision, secondRevision)
}

function split(version: string): [upstream: string, revision: string] {
  const at = version.lastIndexOf('-')
  return at < 0 ? [version, '0'] : [version.slice(0, at), version.slice(at + 1)]
}

/** In turns what are no digits, by letter, and what are, by value. */
function comparePart(a: string, b: string): number {
  let [left, right] = [a, b]
  while (left !== '' || right !== '') {
    const [words, otherWords] = [take(left, /^\D*/), take(right, /^\D*/)]
    const difference = compareWords(words, otherWords)
    if (difference !== 0) return difference
    const [digits, otherDigits] = [
      take(left.slice(words.length), /^\d*/),
      take(right.slice(words.length), /^\d*/),
    ]
    const [value, otherValue] = [Number(digits), Number(otherDigits)]
    if (value !== otherValue) return value - otherValue
    left = left.slice(words.length + digits.length)
    right = right.slice(otherWords.length + otherDigits.length)
  }
  return 0
}

function take(text: string, pattern: RegExp): string {
  return pattern.exec(text)?.[0] ?? ''
}

function compareWords(a: string, b: string): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = rank(a[at]) - rank(b[at])
    if (difference !== 0) return difference
  }
  return 0
}

/** A tilde is before the end, letters are before everything else. */
function rank(letter: string | undefined): number {
  if (letter === undefined) return 0
  if (letter === '~') return -1
  const code = letter.charCodeAt(0)
  return /[A-Za-z]/.test(letter) ? code : code + 256
}
