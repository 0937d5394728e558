export { MASK } from './credentials.js'
export * from './driver.js'
export * from './registry.js'
export { LOOPBACK_RULES, Network, type NetworkRules } from './network/network.js'
