//! Finds all-zero pages with AVX-512, AVX2 or SSE2, and in plain TypeScript where the native build is missing.
