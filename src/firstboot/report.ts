// What first boot tells people: a file on the card, and the greeting on the console.

import type { Told } from './system.ts'

export interface Report extends Told {
  notes: string[]
}

/** hormiga-report.txt: read with any computer that the card is put into. */
export function reportText({ done, problems, notes }: Report): string {
  const lines = [
    'hormiga: what became of the settings on this card',
    '',
    ...(problems.length === 0
      ? ['No problems.']
      : ['Problems (correct the file and start the device again):']),
    ...problems.map((problem) => `  ! ${problem}`),
    '',
    ...done.map((what) => `  ${what}`),
    ...notes.map((note) => `  (${note})`),
  ]
  // With the ends of lines that every editor shows.
  return `${lines.join('\r\n').trimEnd()}\r\n`
}

export interface Greeting {
  name: string
  /** Of the page; `undefined`: the engine can't be reached from elsewhere. */
  url: string | undefined
  /** `undefined`: the engine has no key yet. */
  fingerprint: string | undefined
  /** A QR code of `url`. */
  qr: string
  problems: string[]
}

/** /etc/issue.d/hormiga.issue: shown before "login:" on every console. */
export function greetingText({ name, url, fingerprint, qr, problems }: Greeting): string {
  const lines = [
    `hormiga: ${name}`,
    url === undefined ? 'its page is only for this computer' : `its page: ${url}`,
    fingerprint === undefined ? 'its engine has not started yet' : `its fingerprint: ${fingerprint}`,
    ...(problems.length === 0
      ? []
      : ['PROBLEMS in the settings on the card (also in hormiga-report.txt there):']),
    ...problems.map((problem) => `  ! ${problem}`),
  ]
  // agetty reads backslashes.
  return `\n${lines.join('\n').replaceAll('\\', '\\\\')}\n${url === undefined ? '' : qr}\n`
}
