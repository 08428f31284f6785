/**
 * Builds the page into `cloud/static/`, from where the Python application serves it at `/`.
 *
 * Swagger UI is copied beside it, so that the interactive API documentation needs no internet either.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const SERVER = 'http://localhost:8000';
const SITE_ROOT = resolve(import.meta.dirname, '../cloud/static');
const SWAGGER_FILES = [
  'swagger-ui.css',
  'swagger-ui-bundle.js',
  'swagger-ui-standalone-preset.js',
  'favicon-32x32.png',
  'LICENSE',
  'NOTICE',
];

function copySwagger(): Plugin {
  return {
    name: 'copy-swagger-ui',
    apply: 'build',
    generateBundle() {
      const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
      for (const name of SWAGGER_FILES) {
        this.emitFile({ type: 'asset', fileName: `vendor/swagger-ui/${name}`, source: readFileSync(join(folder, name)) });
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), copySwagger()],
  build: { outDir: SITE_ROOT, emptyOutDir: true, target: 'es2022' },
  server: { proxy: { '/api': SERVER, '/ws': { target: SERVER, ws: true } } },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});
