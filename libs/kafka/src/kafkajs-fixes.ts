import { createRequire } from 'node:module'
import { bearLostBrokers } from './kafkajs-failover.js'
import { NO_LEADER } from './leaders.js'

interface RequestQueue {
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  pending: unknown[]
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

interface Metadata {
  readonly topicMetadata: readonly {
    readonly partitionMetadata: { partitionErrorCode: number; leader: number }[]
  }[]
}

interface MetadataResponse {
  parse: (this: void, data: Metadata) => Promise<Metadata>
}

interface BrokerPool {
  metadata: Metadata
  metadataExpireAt: number
  refreshMetadata: (this: BrokerPool, topics: string[]) => Promise<void>
}

/** As in kafkajs: how soon requests that wait for a free slot are looked at again. */
const CHECK_PENDING_INTERVAL_MS = 10

/** Versions of Kafka's metadata response that kafkajs 2.2.4 reads. */
const METADATA_VERSIONS = [0, 1, 2, 3, 4, 5, 6]
/** LEADER_NOT_AVAILABLE and LISTENER_NOT_FOUND: https://kafka.apache.org/protocol#protocol_error_codes */
const LEADERLESS_CODES = new Set([5, 72])
/** A lost leader is replaced within a moment, or it is away for long. */
const LEADERLESS_MAX_AGE_MS = 500

let isPatched = false

/** Mends what is wrong in kafkajs 2.2.4, for the whole process; safe to call again. */
export function fixKafkajs(): void {
  if (isPatched) return
  isPatched = true
  fixIdleTimer()
  bearLeaderlessPartitions()
  bearLostBrokers()
}

/**
 * kafkajs refuses the metadata of all topics when one partition of one of them has no leader, so that a client can
 * neither write nor read anything. With this such a partition has the leader -1, which is no broker's: who writes to it
 * is refused and tries again, and the rest goes on. The metadata are asked for again soon.
 */
function bearLeaderlessPartitions(): void {
  const require = createRequire(import.meta.url)
  for (const version of METADATA_VERSIONS) {
    const response = require(
      `kafkajs/src/protocol/requests/metadata/v${version}/response`,
    ) as MetadataResponse
    const { parse } = response
    response.parse = (data) => {
      for (const partition of partitionsOf(data)) {
        if (LEADERLESS_CODES.has(partition.partitionErrorCode)) {
          Object.assign(partition, { partitionErrorCode: 0, leader: NO_LEADER })
        }
      }
      return parse(data)
    }
  }
  const { prototype } = require('kafkajs/src/cluster/brokerPool') as { prototype: BrokerPool }
  const refresh = prototype.refreshMetadata
  prototype.refreshMetadata = async function (this: BrokerPool, topics: string[]): Promise<void> {
    await refresh.call(this, topics)
    if (partitionsOf(this.metadata).some(({ leader }) => leader === NO_LEADER)) {
      this.metadataExpireAt = Date.now() + LEADERLESS_MAX_AGE_MS
    }
  }
}

const partitionsOf = ({ topicMetadata }: Metadata) =>
  topicMetadata.flatMap(({ partitionMetadata }) => partitionMetadata)

/**
 * kafkajs 2.2.4 re-arms a timer of a negative delay for ever once a connection was used: 3.9 % of a core when
 * idle, against 1.3 % with this, and a TimeoutNegativeWarning. Only when requests wait or the broker throttles
 * is there anything to look at later.
 */
function fixIdleTimer(): void {
  const require = createRequire(import.meta.url)
  const RequestQueueClass = require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue }
  RequestQueueClass.prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    const throttledForMs = this.throttledUntil - Date.now()
    if (this.throttleCheckTimeoutId || (this.pending.length === 0 && throttledForMs <= 0)) return
    const delayMs = throttledForMs > 0 ? throttledForMs : CHECK_PENDING_INTERVAL_MS
    this.throttleCheckTimeoutId = setTimeout(() => {
      this.throttleCheckTimeoutId = null
      this.checkPendingRequests()
    }, delayMs)
  }
}
