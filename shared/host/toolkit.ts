/**
 * The parts of @actions/core that are used here, and through this file no others: its OpenID client alone brings an HTTP client
 * with undici, which would be most of the time that an action takes to start.
 */
export {
  error,
  getInput,
  getState,
  notice,
  saveState,
  setOutput,
  setSecret,
  summary,
  warning,
} from '@actions/core';
