import type { AddressInfo } from 'node:net'
import { serve } from '@barnabas/tools'
import { SMTPServer } from 'smtp-server'

export type MailServerCommands = {
  listen: { input: null; output: { address: string } }
}

serve<MailServerCommands>({
  /** Takes every mail of everybody, without TLS. */
  listen: () => {
    const server = new SMTPServer({
      disabledCommands: ['STARTTLS', 'AUTH'],
      disableReverseLookup: true,
      onData: (stream, _session, callback) => {
        stream.on('end', () => callback())
        stream.resume()
      },
    })
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        resolve({ address: `127.0.0.1:${(server.server.address() as AddressInfo).port}` })
      })
    })
  },
})
