import type { Machine } from '@barnabas/tools'

/** What is said once, above the sections of the phases. */
export function renderHead(startedAt: Date, machine: Machine): string {
  return [
    `## ${startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC, commit ${machine.commit}`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, ${machine.system}, Node ${machine.node.slice(1)}. ` +
      'Everything on this machine: apps, Kafka, PostgreSQL, load generator, receiver. 1 KB events, one webhook destination, ' +
      'unless a section says otherwise.',
  ].join('\n\n')
}

export const renderSection = (name: string, text: string): string => `### ${name}\n\n${text}`
