// The version that the API description and MCP's serverInfo show: package.json's.
import packageJson from '../../package.json' with { type: 'json' }

export const VERSION: string = packageJson.version
