// The list of systems that Raspberry Pi Imager reads (`rpi-imager --repo FILE`): it has our image, how large it is, and that
// Imager may put the settings asked for in its dialogues into rpi-preseed.toml on the boot partition, which first boot reads.

/** Imager's tags; a Zero 2 W is one of `pi3-64bit`. */
const devices = [
  { name: 'Raspberry Pi 5', tags: ['pi5-64bit'], description: 'Pi 5 (Model B)' },
  { name: 'Raspberry Pi 4', tags: ['pi4-64bit'], description: 'Pi 4 (Model B), 400 and Compute Module 4' },
  { name: 'Raspberry Pi 3', tags: ['pi3-64bit'], description: 'Pi 3 (A+, B, B+) and Compute Module 3' },
  {
    name: 'Raspberry Pi Zero 2 W',
    tags: ['pi3-64bit'],
    description: 'Not a Zero or Zero W: they are too old',
  },
]

/**
 * @param image and `packed`: `{bytes, sha256}` of the image and of its compressed file
 * @param url where Imager finds the compressed file
 * @param epoch of the image, in seconds
 */
export function manifestOf({ version, image, packed, url, epoch }) {
  const tags = devices.flatMap((device) => device.tags)
  return {
    imager: {
      devices: devices.map((device) => ({
        ...device,
        icon: '',
        matching_type: 'inclusive',
        capabilities: [],
      })),
    },
    os_list: [
      {
        name: `hormiga ${version} (64-bit)`,
        description: 'JSTP engine: coffee machines, boards and sensors as resources. Debian, for this alone.',
        icon: '',
        url,
        extract_size: image.bytes,
        extract_sha256: image.sha256,
        image_download_size: packed.bytes,
        image_download_sha256: packed.sha256,
        release_date: new Date(epoch * 1000).toISOString().slice(0, 10),
        init_format: 'rpi-preseed',
        devices: [...new Set(tags)],
        capabilities: [],
      },
    ],
  }
}
