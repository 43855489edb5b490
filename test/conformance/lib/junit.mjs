import { writeFile } from 'node:fs/promises'

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const notInXml = /[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/g
const escaped = (text) => text.replace(/[&<>"]/g, (sign) => escapes[sign]).replace(notInXml, '?')

export function writeJunit(file, results) {
  const count = (state) => results.filter((result) => result.state === state).length
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="jstp" tests="${results.length}" failures="${count('FAIL')}" skipped="${count('skip')}">`,
    ...results.map(testcase),
    '</testsuite>',
  ]
  return writeFile(file, `${lines.join('\n')}\n`)
}

function testcase({ item, state, message, ms }) {
  const name = escaped(`${item.id} ${item.title}`)
  const open = `<testcase classname="${escaped(item.section)}" name="${name}" time="${ms / 1000}"`
  if (state === 'ok') return `${open}/>`
  const tag = state === 'skip' ? 'skipped' : 'failure'
  return `${open}><${tag} message="${escaped(message)}"/></testcase>`
}
