/**
 * Ends the process in order when its supervisor dies: the supervisor holds the other end of standard input, and
 * nothing else tells of a supervisor that was killed.
 */
export function endWithSupervisor(isSupervised: boolean): void {
  if (!isSupervised) return
  process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM'))
  process.stdin.on('error', () => process.kill(process.pid, 'SIGTERM'))
  process.stdin.resume()
}
