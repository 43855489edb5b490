// Status frames captured from real machines (A: Arbuzov/home_assistant_delonghi_primadonna, DEBUG_NOTES.md and const.py,
// I: its issues, L: mmastrac/longshot src/protocol/mod.rs) with what the fact sheet says of each.

export interface Captured {
  frame: string
  accessory: string
  switches: string[]
  alarms: string[]
  state: number
  step: number
  percent: number
  /** Our word for it, and how far it is. */
  word: string
  progress: number
}

/** Frame, accessory, switches, alarms, state, step, percent, our word and progress, what its source says. */
const TABLE = `
d012750f010500000007000000000000009d61 | water-spout | water-spout motor-down | | 7 | 0 | 0 | ready 0 | ready (A)
d012750f01150000000700000000000000aa31 | water-spout | water-spout motor-down water-tank-absent | | 7 | 0 | 0 | ready 0 | water tank removed (A)
d012750f010d000000070000000000000086c9 | water-spout | water-spout motor-down grounds-container-out | | 7 | 0 | 0 | ready 0 | grounds container removed (A)
d012750f010100000000030000000000008f2f | water-spout | water-spout | | 0 | 3 | 0 | off 0 | powered off (A)
d012750f01010000000003640000000000d696 | water-spout | water-spout | | 0 | 3 | 100 | off 0 | powered off, spout fitted (A L)
d012750f010100000001076400000000005083 | water-spout | water-spout | | 1 | 7 | 100 | starting 100 | turning on (A)
d012750f014500010007000000000000002f64 | water-spout | water-spout motor-down water-level-low | empty-water-tank | 7 | 0 | 0 | alarm 0 | asks for fresh water (A)
d012750f014100050001000000000000000f4e | water-spout | water-spout water-level-low | empty-water-tank descale | 1 | 0 | 0 | starting 0 | water shortage seen while turning on (const WATER_SHORTAGE2) (A)
d012750f010300000001050800000000006271 | water-spout | water-spout motor-up | | 1 | 5 | 8 | starting 8 | start-up step (rinsing guessed by the author) (A)
d012750f01010000000101000000000000a81f | water-spout | water-spout | | 1 | 1 | 0 | starting 0 | heating water (A)
d012750f01030000000105610000000000758b | water-spout | water-spout motor-up | | 1 | 5 | 97 | starting 97 | start-up step, 97 % (A)
d012750f010100040000036400000000007ba3 | water-spout | water-spout | descale | 0 | 3 | 100 | off 0 | off, descale requested (A)
d012750f02000100000101000000000000bc86 | milk-jug | milk-jug | | 1 | 1 | 0 | starting 0 | power-on sequence 1, milk jug fitted (A)
d012750f020201000001051d00000000002f6d | milk-jug | motor-up milk-jug | | 1 | 5 | 29 | starting 29 | power-on sequence 2 (A)
d012750f02000100000107640000000000441a | milk-jug | milk-jug | | 1 | 7 | 100 | starting 100 | power-on sequence 3 (A)
d012750f0204010000070000000000000089f8 | milk-jug | motor-down milk-jug | | 7 | 0 | 0 | ready 0 | ready, milk jug in froth position (A)
d012750f02000100000003640000000000c20f | milk-jug | milk-jug | | 0 | 3 | 100 | off 0 | off, milk jug fitted (A)
d012750f04050100400c030d00000000001a51 | milk-jug-cleaning | water-spout motor-down milk-jug | clean-knob | 12 | 3 | 13 | cleaning 13 | milk spout cleaning started (knob in Clean) (A)
d012750f0405010000070000000000000005e6 | milk-jug-cleaning | water-spout motor-down milk-jug | | 7 | 0 | 0 | ready 0 | milk spout cleaning finished (A)
d012750f020001000008020000000000003d0d | milk-jug | milk-jug | | 8 | 2 | 0 | cleaning 0 | rinse started (A)
d012750f020201000008054300000000008653 | milk-jug | motor-up milk-jug | | 8 | 5 | 67 | cleaning 67 | rinse, 67 % (A)
d012750f011500000001000000000000002afa | water-spout | water-spout motor-down water-tank-absent | | 1 | 0 | 0 | starting 0 | tank removed while turning on (A)
d012750f00040000000700000000000000db77 | none | motor-down | | 7 | 0 | 0 | ready 0 | hot-water spout removed (A)
d012750f01050000000b030700000000009c15 | water-spout | water-spout motor-down | | 11 | 3 | 7 | brewing 7 | hot water dispensing, 7 % (A)
d012750f02040100000a02000000000000bf7f | milk-jug | motor-down milk-jug | | 10 | 2 | 0 | brewing 0 | latte macchiato starting (A)
d012750f0200010040070e640000000000b0c4 | milk-jug | milk-jug | clean-knob | 7 | 14 | 100 | brewing 100 | drink finished or cancelled (A)
d012750f010500000007040000000000005ca7 | water-spout | water-spout motor-down | | 7 | 4 | 0 | brewing 0 | coffee starting (A)
d012750f0105000a00070000000000000009a0 | water-spout | water-spout motor-down | grounds-container-full replace-water-filter | 7 | 0 | 0 | alarm 0 | grounds full + filter due (A)
d012750f0415010000070000000000000032b6 | milk-jug-cleaning | water-spout motor-down water-tank-absent milk-jug | | 7 | 0 | 0 | ready 0 | ECAM 550.85, tank out (I)
d012750f02040100400a040000000000004183 | milk-jug | motor-down milk-jug | clean-knob | 10 | 4 | 0 | brewing 0 | cappuccino, milk phase = Busy 0 (L)
d012750f02040100400700000000000000d621 | milk-jug | motor-down milk-jug | clean-knob | 7 | 0 | 0 | ready 0 | ready after cappuccino, clean requested (L)
d012750f04050100400c030900000000001cf0 | milk-jug-cleaning | water-spout motor-down milk-jug | clean-knob | 12 | 3 | 9 | cleaning 9 | milk cleaning = Cleaning 9 (L)
d012750f000000000000036400000000009080 | none | | | 0 | 3 | 100 | off 0 | standby, spout off = StandBy (L)
d012750f00100000000003640000000000a7d0 | none | water-tank-absent | | 0 | 3 | 100 | off 0 | standby, tank out = StandBy (L)
d012750f01090000000003640000000000cd3e | water-spout | water-spout grounds-container-out | | 0 | 3 | 100 | off 0 | standby, grounds container out = StandBy (L)
d012750f000000000002016400000000007fc5 | none | | | 2 | 1 | 100 | stopping 10 | = ShuttingDown 10 (L)
d012750f0002000000020364000000000019cc | none | motor-up | | 2 | 3 | 100 | stopping 30 | = ShuttingDown 30 (L)
d012750f000000000002066400000000006681 | none | | | 2 | 6 | 100 | stopping 60 | = ShuttingDown 60 (L)
d012750f010500040804040000000000001018 | water-spout | water-spout motor-down | descale empty-drip-tray | 4 | 4 | 0 | descaling 0 | descaling A (L)
d012750f01450005080408000000000000f076 | water-spout | water-spout motor-down water-level-low | empty-water-tank descale empty-drip-tray | 4 | 8 | 0 | descaling 0 | descaling B (L)
d012750f011500040804080000000000007523 | water-spout | water-spout motor-down water-tank-absent | descale empty-drip-tray | 4 | 8 | 0 | descaling 0 | descaling C (L)
d012750f01030004080409000000000000f12c | water-spout | water-spout motor-up | descale empty-drip-tray | 4 | 9 | 0 | descaling 0 | descaling D (L)
d012750f01010004080409000000000000f7c6 | water-spout | water-spout | descale empty-drip-tray | 4 | 9 | 0 | descaling 0 | descaling E (L)
d012750f01050004080409000000000000fa12 | water-spout | water-spout motor-down | descale empty-drip-tray | 4 | 9 | 0 | descaling 0 | descaling F (L)
d012750f014500050804090000000000004817 | water-spout | water-spout motor-down water-level-low | empty-water-tank descale empty-drip-tray | 4 | 9 | 0 | descaling 0 | descaling G (L)
d012750f014500050804070000000000007a9f | water-spout | water-spout motor-down water-level-low | empty-water-tank descale empty-drip-tray | 4 | 7 | 0 | descaling 0 | descaling H (L)
d012750f01150004080407000000000000ffca | water-spout | water-spout motor-down water-tank-absent | descale empty-drip-tray | 4 | 7 | 0 | descaling 0 | descaling I (L)
d012750f01050004080407000000000000c89a | water-spout | water-spout motor-down | descale empty-drip-tray | 4 | 7 | 0 | descaling 0 | descaling J (L)
d012750f014d000100041100000000000073a3 | water-spout | water-spout motor-down grounds-container-out water-level-low | empty-water-tank | 4 | 17 | 0 | descaling 0 | descaling K (L)
d012750f01450001000411000000000000680b | water-spout | water-spout motor-down water-level-low | empty-water-tank | 4 | 17 | 0 | descaling 0 | descaling L (L)
d012750f01150000000109640000000000588f | water-spout | water-spout motor-down water-tank-absent | | 1 | 9 | 100 | starting 100 | descaling M (already restarting) (L)
d012750f010500000001096400000000006fdf | water-spout | water-spout motor-down | | 1 | 9 | 100 | starting 100 | descaling N (L)
`

export const CAPTURED: Captured[] = TABLE.trim()
  .split('\n')
  .map((line) => {
    const [frame = '', accessory = '', switches, alarms, state, step, percent, shown = ''] = line
      .split('|')
      .map((cell) => cell.trim())
    const [word = '', progress] = shown.split(' ')
    return {
      frame,
      accessory,
      switches: words(switches),
      alarms: words(alarms),
      state: Number(state),
      step: Number(step),
      percent: Number(percent),
      word,
      progress: Number(progress),
    }
  })

function words(cell = ''): string[] {
  return cell === '' ? [] : cell.split(' ')
}
