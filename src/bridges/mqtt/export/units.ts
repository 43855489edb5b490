// Units as Home Assistant writes them, and the class of a number that has one (lists of its sensor and number platforms).

export interface HaUnit {
  unit: string
  deviceClass?: string
  /** `measurement` where the class allows it: then Home Assistant draws a line and keeps statistics. */
  stateClass?: 'measurement'
}

/** `ours: [theirs, device class]`; `!`: not of the state class `measurement`. Other units are told in the name. */
const UNITS: Record<string, [unit: string, deviceClass?: string]> = {
  '%': ['%'],
  '°': ['°'],
  '°C': ['°C', 'temperature'],
  '°F': ['°F', 'temperature'],
  K: ['K', 'temperature'],
  mV: ['mV', 'voltage'],
  V: ['V', 'voltage'],
  mA: ['mA', 'current'],
  A: ['A', 'current'],
  W: ['W', 'power'],
  kW: ['kW', 'power'],
  Wh: ['Wh', 'energy!'],
  kWh: ['kWh', 'energy!'],
  Hz: ['Hz', 'frequency'],
  kHz: ['kHz', 'frequency'],
  Pa: ['Pa', 'pressure'],
  hPa: ['hPa', 'pressure'],
  kPa: ['kPa', 'pressure'],
  mbar: ['mbar', 'pressure'],
  bar: ['bar', 'pressure'],
  lx: ['lx', 'illuminance'],
  µs: ['μs'],
  ms: ['ms', 'duration'],
  s: ['s', 'duration'],
  min: ['min', 'duration'],
  h: ['h', 'duration'],
  d: ['d', 'duration'],
  mm: ['mm', 'distance'],
  cm: ['cm', 'distance'],
  m: ['m', 'distance'],
  km: ['km', 'distance'],
  'mm/s': ['mm/s', 'speed'],
  'm/s': ['m/s', 'speed'],
  'km/h': ['km/h', 'speed'],
  mg: ['mg', 'weight'],
  g: ['g', 'weight'],
  kg: ['kg', 'weight'],
  ml: ['mL', 'volume!'],
  l: ['L', 'volume!'],
  'l/min': ['L/min', 'volume_flow_rate'],
  'm³/h': ['m³/h', 'volume_flow_rate'],
  dB: ['dB', 'signal_strength'],
  dBm: ['dBm', 'signal_strength'],
  ppm: ['ppm'],
  rpm: ['rpm'],
  B: ['B', 'data_size'],
  'bit/s': ['bit/s', 'data_rate'],
}

/** `undefined`: Home Assistant's lists have none for it. */
export function haUnit(ours: string): HaUnit | undefined {
  const found = Object.hasOwn(UNITS, ours) ? UNITS[ours] : undefined
  if (!found) return undefined
  const [unit, deviceClass] = found
  if (deviceClass?.endsWith('!')) return { unit, deviceClass: deviceClass.slice(0, -1) }
  return { unit, ...(deviceClass && { deviceClass }), stateClass: 'measurement' }
}
