/** Cuts bytes at given places, at every so many bytes, or at every byte boundary inside a text. */
export function chunksOf(bytes, { cutAt = [], cutEvery, cutInside }) {
  const cuts = [...cutAt, ...cutsEvery(bytes, cutEvery), ...cutsInside(bytes, cutInside)]
  const edges = [0, ...cuts, bytes.length]
  return edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge))
}

function cutsEvery(bytes, size) {
  const cuts = []
  for (let at = size; at < bytes.length; at += size) cuts.push(at)
  return cuts
}

function cutsInside(bytes, text) {
  if (text === undefined) return []
  const start = bytes.indexOf(text)
  if (start === -1) throw new Error(`nothing to cut: no ${text}`)
  return Array.from({ length: Buffer.byteLength(text) - 1 }, (_, i) => start + i + 1)
}
