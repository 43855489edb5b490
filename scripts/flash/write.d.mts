import type { Place } from './device.mjs'

export declare function writeImage(
  image: string,
  device: string,
  people: {
    ask(question: string): Promise<string>
    say(line: string): void
    progress(what: string, part: number): void
  },
  place?: Place & { file?: string },
): Promise<void>
