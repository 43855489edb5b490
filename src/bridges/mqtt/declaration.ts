// What a discovery family says of a device, in the one form that all families share.

import type { Json } from '../../core/dispatch.ts'
import type { Field } from '../../device/profile.ts'
import type { Message, Payload } from './payload.ts'

/** Who told of a device; the first is trusted most, and where two tell of the same one only it counts (C9.1). */
export const TRUST = [
  'configuration',
  'zigbee2mqtt',
  'tasmota',
  'homeassistant-device',
  'homeassistant',
  'homie',
  'sparkplug',
  'shelly',
  'esphome',
] as const

export type Source = (typeof TRUST)[number]

/** For people; it may change at any time. */
export type About = {
  name: string
  manufacturer?: string
  model?: string
  version?: string
  area?: string
}

/** A topic that says whether something is there. */
export interface Gate {
  topic: string
  /** Equal for gates of one topic that read it the same way. */
  key: string
  /** What it counts as before it has said anything. */
  presumed: boolean
  /** `undefined`: the payload says nothing of it. */
  read(payload: Payload): boolean | undefined
}

/** `latest`: what the gate says that spoke last. */
export interface Availability {
  mode: 'all' | 'any' | 'latest'
  gates: Gate[]
}

/** Where the value of a property is heard. */
export interface Reading {
  topic: string
  /** `undefined`: the payload says nothing of it. @throws {Error} when it says something that can't be. */
  read(payload: Payload): Json | undefined
}

/** How a property is set. */
export interface Setter {
  topic: string
  qos: 0 | 1
  /**
   * - `echo` its readings tell, after the broker has taken the command
   * - `reply` the other side answers the tag of the command, or its readings tell
   * - `none` nothing tells
   */
  confirm: 'echo' | 'reply' | 'none'
  /** `tag`: what a reply will name. */
  encode(value: Json, tag: number): string | Uint8Array
}

/** What a property is: the field that bodies are checked against, and what only sensors have. */
export interface Described extends Field {
  deviceClass?: string
  step?: number
}

export interface Property {
  /** The last element of its resource: stable, made by `slug`. */
  id: string
  /** Its id where another property of the device has the first one. */
  otherId?: string
  described: Described
  readings: Reading[]
  setter?: Setter
  availability?: Availability[]
  /** Milliseconds after which its value counts as gone. */
  expireAfter?: number
  /** Milliseconds after which a `true` becomes `false` by itself. */
  offDelay?: number
  /** It happens instead of having a value. */
  event?: true
  /** Every value is reported, changed or not. */
  always?: true
}

export interface Declaration {
  source: Source
  /** What replaces or withdraws it: the topic, and the part of it where it tells of several devices. */
  key: string
  /** All that identifies the device. */
  identities: string[]
  about: About
  availability: Availability[]
  properties: Property[]
  /** It came from the memory of the broker: it is gone when it isn't there after a reconnection. */
  retained: boolean
}

/** One kind of discovery. */
export interface Family {
  /** What to subscribe. Each is one slice: a broker may have a queue too short for all of them at once. */
  filters: string[]
  /** Those of them below which it hands on all values itself: they need no subscriptions of their own. */
  covers?: string[]
  /** How many bytes a message of this topic may have; 0: it is not of this family. */
  claims(topic: string): number
  read(message: Message, payload: Payload): void
  /** Called after every connection: what to ask, so that who is there says so. */
  ask?(): Publication[]
}

export interface Publication {
  topic: string
  payload: string | Uint8Array
  qos: 0 | 1
}

/** Bytes of a message that tells of one device, and of one that tells of all. */
export const DISCOVERY = 65_536
export const INVENTORY = 4_194_304

/** What has to be done, or has happened, because of a message. */
export type Effect =
  | { do: 'subscribe'; topics: string[]; qos: 0 | 1 }
  | { do: 'unsubscribe'; topics: string[] }
  | ({ do: 'publish' } & Publication)
  | { do: 'report'; device: string; property: string; value: Json; event?: true }
  | { do: 'online'; device: string; online: boolean }
  | { do: 'appeared' | 'gone'; device: string }
  | { do: 'settled'; command: number; outcome: Outcome }

/** What became of a command. */
export type Outcome = { is: 'confirmed'; value: Json } | { is: 'sent' } | { is: 'refused'; message: string }
