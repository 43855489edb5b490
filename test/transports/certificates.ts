// Certificates for one test run, made by openssl.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A key and a certificate for 127.0.0.1 and localhost that is its own authority. */
export function makeCertificates(): { key: string; cert: string; ca: string } {
  const folder = mkdtempSync(join(tmpdir(), 'hormiga-tls-'))
  try {
    const key = join(folder, 'key.pem')
    const cert = join(folder, 'cert.pem')
    const what = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-x509', '-days', '2']
    const whom = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
    execFileSync('openssl', ['req', ...what, ...whom, '-keyout', key, '-out', cert], { stdio: 'pipe' })
    const text = readFileSync(cert, 'utf8')
    return { key: readFileSync(key, 'utf8'), cert: text, ca: text }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
