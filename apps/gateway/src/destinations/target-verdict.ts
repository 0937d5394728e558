import type { Problem } from '@barnabas/domain'
import type { Driver, NamedAddress, Network, ValidSettings } from '@barnabas/drivers'
import { validationFailed } from '../http/api-error.js'

/** Judges the addresses of a destination when it is written, by the rules that its deliveries are judged by. */
export class TargetVerdict {
  constructor(private readonly network: Network) {}

  /**
   * Throws 422 with the path of every setting that names an address which may not be connected to. A name that does
   * not resolve now is accepted: it is judged again at every delivery. Takes as long as a lookup may, 5 s.
   */
  async check(driver: Driver, settings: ValidSettings): Promise<void> {
    const judged = await Promise.all(driver.addresses(settings).map((address) => this.problemOf(address)))
    const problems = new Map(judged.flatMap((problem) => (problem ? [[problem.path, problem]] : [])))
    if (problems.size > 0) throw validationFailed([...problems.values()])
  }

  private async problemOf(address: NamedAddress): Promise<Problem | null> {
    const { path, isPlainHttp = false } = address
    if (isPlainHttp && !this.network.allowsPlainHttp)
      return { path, message: 'must begin with https://; http without TLS is not allowed here' }
    if (await this.network.allows(address)) return null
    // One sentence for all reasons: the answer is no port scanner.
    return { path, message: 'must be an address that may be connected to from here' }
  }
}
