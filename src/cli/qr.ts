// A QR code in the terminal, in its own colors whatever those of the terminal are.

import { renderUnicodeCompact } from 'uqr'

const WHITE_ON_BLACK = '\u001b[97;40m'
const BACK = '\u001b[0m'

export function qrText(text: string): string {
  const lines = renderUnicodeCompact(text, { border: 2 }).split('\n')
  return `${lines.map((line) => `${WHITE_ON_BLACK}${line}${BACK}`).join('\n')}\n`
}
