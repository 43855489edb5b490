// Spanish and English. The English text is its own key; what has no Spanish is shown in English. Words of machines
// (`empty-water-tank`) are words in both: known ones are translated, others are made readable.

import type { Element } from '../core/dispatch.ts'
import { TEXTS, WORDS } from './spanish.ts'

export type Language = 'en' | 'es'

const KEY = 'hormiga.language'
const BYTES = ['B', 'kB', 'MB', 'GB', 'TB']

export class Words {
  readonly language: Language
  readonly #number: Intl.NumberFormat
  readonly #time: Intl.DateTimeFormat
  readonly #minute: Intl.DateTimeFormat

  constructor(language: Language) {
    this.language = language
    this.#number = new Intl.NumberFormat(language, { maximumSignificantDigits: 6 })
    this.#time = new Intl.DateTimeFormat(language, { timeStyle: 'medium', hourCycle: 'h23' })
    this.#minute = new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  }

  /** `t('offline since {0}', time)` */
  t(text: string, ...values: (string | number)[]): string {
    const chosen = this.language === 'es' ? (TEXTS[text] ?? text) : text
    return chosen.replace(/\{(\d)\}/g, (_, at) => String(values[at]))
  }

  /** What a profile says about something, and the language in which it is there. */
  describe(text: string): { text: string; lang: Language } {
    const known = this.language === 'es' ? TEXTS[text] : undefined
    return known ? { text: known, lang: 'es' } : { text, lang: 'en' }
  }

  /** A word of a machine, to be read: `autoOff` is "Auto off". */
  word(given: Element): string {
    const name = String(given)
    const known = this.language === 'es' ? WORDS[name] : undefined
    if (known) return known
    const text = name
      .replace(/([a-z])([A-Z])/g, '$1 $2')
      .replace(/[-_]/g, ' ')
      .trim()
    return /^[A-Z]/.test(name) ? text : text.charAt(0).toUpperCase() + text.slice(1).toLowerCase()
  }

  number(value: number): string {
    return this.#number.format(value)
  }

  /** With its unit, and a space that never breaks. */
  amount(value: number, unit?: string | null): string {
    return unit ? `${this.number(value)}\u00a0${unit}` : this.number(value)
  }

  bytes(value: number): string {
    const step = value < 1 ? 0 : Math.min(BYTES.length - 1, Math.floor(Math.log10(value) / 3))
    return this.amount(Number((value / 1000 ** step).toPrecision(3)), BYTES[step])
  }

  percent(share: number): string {
    return this.amount(Math.round(share * 100), '%')
  }

  time(ms: number): string {
    return this.#time.format(ms)
  }

  /** Without seconds. */
  minute(ms: number): string {
    return this.#minute.format(ms)
  }
}

/** What was chosen here, else the first of the browser's languages that we have. */
export function chosenLanguage(): Language {
  const languages = [localStorage.getItem(KEY), ...navigator.languages]
  const known = languages.map((it) => it?.slice(0, 2)).find((it) => it === 'es' || it === 'en')
  return known ?? 'en'
}

export function chooseLanguage(language: Language): void {
  localStorage.setItem(KEY, language)
}
