/// <reference types="vite/client" />
import 'react';

declare module 'react' {
  interface CSSProperties {
    /** How many places the strip of grades has. */
    '--slots'?: number;
  }
}
