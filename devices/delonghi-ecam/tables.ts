// What the numbers of the protocol mean, as data. Sources: mmastrac/longshot and
// Arbuzov/home_assistant_delonghi_primadonna (facts only), captured frames of both.

/** payload[0] */
export const REQUEST = {
  monitorV0: 0x60,
  monitorV1: 0x70,
  monitor: 0x75,
  brew: 0x83,
  power: 0x84,
  writeParameter: 0x90,
  readParameter: 0x95,
  statistics: 0xa2,
  profileNames: 0xa4,
  recipe: 0xa6,
  selectProfile: 0xa9,
  limits: 0xb0,
  setTime: 0xe2,
} as const

/** The byte after the request id: these few want 0F, all others F0. */
const WITH_0F: number[] = [
  REQUEST.monitorV0,
  REQUEST.monitorV1,
  REQUEST.monitor,
  REQUEST.power,
  REQUEST.writeParameter,
  REQUEST.readParameter,
  REQUEST.statistics,
]

/** The payload of a request. */
export function request(id: number, ...args: number[]): number[] {
  return [id, WITH_0F.includes(id) ? 0x0f : 0xf0, ...args]
}

export const STATE = {
  off: 0,
  turningOn: 1,
  shuttingDown: 2,
  descaling: 4,
  steamPreparation: 5,
  recovery: 6,
  ready: 7,
  rinsing: 8,
  milkPreparation: 10,
  hotWater: 11,
  milkCleaning: 12,
  chocolate: 16,
} as const

export const ACCESSORIES = ['none', 'water-spout', 'milk-jug', 'chocolate-jug', 'milk-jug-cleaning'] as const
export type Accessory = (typeof ACCESSORIES)[number]

export interface Flag {
  name: string
  /** What to do about it before brewing. Without it, it doesn't keep the machine from brewing. */
  remedy?: string
}

const CALL_SERVICE = 'switch the machine off and on; if it comes back, call the service'

/** By bit. */
export const SWITCHES: (Flag | undefined)[] = [
  { name: 'water-spout' },
  { name: 'motor-up' },
  { name: 'motor-down' },
  { name: 'grounds-container-out', remedy: 'put the grounds container back' },
  { name: 'water-tank-absent', remedy: 'put the water tank back' },
  { name: 'knob' },
  { name: 'water-level-low' },
  { name: 'coffee-jug' },
  { name: 'milk-jug' },
  { name: 'chocolate-tank' },
  { name: 'clean-knob' },
  undefined,
  undefined,
  { name: 'door-open', remedy: 'close the door' },
  { name: 'pre-ground-door-open', remedy: 'close the door for ground coffee' },
]

/** By bit. Those without a remedy are reminders: the machine brews all the same (design §9.8). */
export const ALARMS: Flag[] = [
  { name: 'empty-water-tank', remedy: 'fill the water tank' },
  { name: 'grounds-container-full', remedy: 'empty the grounds container' },
  { name: 'descale' },
  { name: 'replace-water-filter' },
  { name: 'ground-too-fine', remedy: 'set the grinder coarser' },
  { name: 'beans-empty', remedy: 'fill in beans' },
  { name: 'service' },
  { name: 'heater-probe-failure', remedy: CALL_SERVICE },
  { name: 'too-much-coffee', remedy: 'take less ground coffee' },
  { name: 'infuser-motor-failure', remedy: CALL_SERVICE },
  { name: 'steamer-probe-failure', remedy: CALL_SERVICE },
  { name: 'empty-drip-tray', remedy: 'empty the drip tray' },
  { name: 'hydraulic-problem', remedy: CALL_SERVICE },
  { name: 'tank-in-position', remedy: 'push the water tank into its place' },
  { name: 'clean-knob' },
  { name: 'beans-empty-2', remedy: 'fill in beans' },
  { name: 'tank-too-full', remedy: 'take some water out of the tank' },
  { name: 'bean-hopper-absent', remedy: 'put the bean hopper on' },
  { name: 'grid-presence', remedy: 'put the grid of the drip tray back' },
  { name: 'infuser-sense', remedy: 'put the infuser into its place' },
  { name: 'not-enough-coffee', remedy: 'fill in coffee' },
  { name: 'expansion-communication', remedy: CALL_SERVICE },
  { name: 'expansion-submodule', remedy: CALL_SERVICE },
  { name: 'grinder-1', remedy: CALL_SERVICE },
  { name: 'grinder-2', remedy: CALL_SERVICE },
  { name: 'condenser-fan', remedy: CALL_SERVICE },
  { name: 'clock-communication', remedy: CALL_SERVICE },
  { name: 'spi-communication', remedy: CALL_SERVICE },
  // Not in any source. Should one ever be set, better no coffee than a broken machine.
  { name: 'alarm-28', remedy: 'look at the display of the machine' },
  { name: 'alarm-29', remedy: 'look at the display of the machine' },
  { name: 'alarm-30', remedy: 'look at the display of the machine' },
  { name: 'alarm-31', remedy: 'look at the display of the machine' },
]

/** The drinks by their number; 230 to 239 are the ten that the owner can compose. */
export const BEVERAGES = new Map<number, string>([
  [1, 'espresso'],
  [2, 'regular-coffee'],
  [3, 'long-coffee'],
  [4, 'double-espresso'],
  [5, 'doppio'],
  [6, 'americano'],
  [7, 'cappuccino'],
  [8, 'latte-macchiato'],
  [9, 'caffe-latte'],
  [10, 'flat-white'],
  [11, 'espresso-macchiato'],
  [12, 'hot-milk'],
  [13, 'cappuccino-doppio'],
  [14, 'cold-milk'],
  [15, 'cappuccino-reverse'],
  [16, 'hot-water'],
  [17, 'steam'],
  [18, 'chocolate'],
  [19, 'ristretto'],
  [20, 'long-espresso'],
  [21, 'coffee-cream'],
  [22, 'tea'],
  [23, 'coffee-pot'],
  [24, 'cortado'],
  [25, 'long-black'],
  [26, 'travel-mug'],
  [27, 'brew-over-ice'],
  ...Array.from({ length: 10 }, (_, at): [number, string] => [230 + at, `custom-${at + 1}`]),
])

/** What a drink is told to do. The others of the protocol were never seen in use. */
export const TRIGGER = { start: 1, stop: 2 } as const

/** The last byte of a brew: both brew; the maker's app says 6, longshot 2. */
export const MODE = { prepare: 2, prepareInverted: 6 } as const

export interface Ingredient {
  id: number
  /** Bytes of its value. What is not listed here has an unknown width. */
  width: 1 | 2
  /** Its field in the body of `brew`. */
  field?: 'coffee' | 'milk' | 'water' | 'strength' | 'temperature'
  unit?: string
}

export const ID = {
  temperature: 0,
  coffee: 1,
  taste: 2,
  milk: 9,
  inversion: 12,
  water: 15,
  accessory: 28,
} as const

/** Those with a field are sent in this order, which is longshot's. */
export const INGREDIENTS: Ingredient[] = [
  { id: ID.coffee, width: 2, field: 'coffee', unit: 'ml' },
  { id: ID.milk, width: 2, field: 'milk', unit: 'ml' },
  { id: ID.water, width: 2, field: 'water', unit: 'ml' },
  { id: ID.taste, width: 1, field: 'strength' },
  { id: ID.temperature, width: 1, field: 'temperature' },
  { id: 8, width: 1 }, // two cups
  { id: ID.inversion, width: 1 },
  { id: 24, width: 1 }, // programmable
  { id: 25, width: 1 }, // visible
  { id: 27, width: 1 }, // length of the index
  { id: ID.accessory, width: 1 },
]

export const PARAMETER = { hardness: 0x32, temperature: 0x3d, autoOff: 0x3e, switches: 0x3f } as const

/** Minutes, by the value of the parameter. */
export const AUTO_OFF = [15, 30, 60, 120, 180]

/** The bits of the parameter `switches`, and those that are always set. */
export const SETTING_BITS = { sounds: 2, cupLight: 3, energySaving: 4 } as const
export const SETTING_BASE = 0b1000_0001

/** What is asked for: first id and count. */
export const STATISTICS_REQUESTS: [id: number, count: number][] = [
  [100, 10],
  [110, 10],
  [3000, 10],
  [3077, 4],
]

/** Counters and the ids that they are the sum of. */
export const STATISTICS: Record<string, { ids: number[]; divider?: number }> = {
  blackCoffees: { ids: [3000, 3077] },
  milkDrinks: { ids: [3001, 3003] },
  chocolates: { ids: [3021] },
  teas: { ids: [3025] },
  toGo: { ids: [3047, 3048] },
  others: { ids: [3078, 3080] },
  descalings: { ids: [105] },
  // One source says 2000 units to the litre, a note in it 5000.
  litres: { ids: [106], divider: 2000 },
  filtersReplaced: { ids: [108] },
  milkCleanings: { ids: [115] },
}
