import { awsTypes } from './aws-types.js'
import type { BenchType } from './bench-type.js'
import { brokerTypes } from './broker-types.js'
import { httpTypes } from './http-types.js'
import { otherTypes } from './other-types.js'

/** Every destination type that the bench knows; loads no client. */
export const benchTypes: readonly BenchType[] = [...httpTypes, ...brokerTypes, ...awsTypes, ...otherTypes]
