// The version in package.json, for the API description and MCP's serverInfo.
import packageJson from '../../package.json' with { type: 'json' }

export const VERSION: string = packageJson.version
