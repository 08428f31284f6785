#!/usr/bin/env bash
# Installs what the tests need and Python cannot bring: through apt as root or with sudo, else says what is missing.
set -euo pipefail

PATH="$PATH:/usr/sbin:/usr/local/sbin"   # Debian keeps servers there, an ordinary user's PATH does not
declare -A package=([openssl]=openssl [mosquitto]=mosquitto [mosquitto_pub]=mosquitto-clients [chromium]=chromium [strace]=strace [git]=git)
missing=()
for program in "${!package[@]}"; do
  command -v "$program" >/dev/null || missing+=("${package[$program]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "The tests need: ${missing[*]} (names of Debian's packages). Install them and run again." >&2
  exit 1
fi
run=()
if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "The tests need: sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
  run=(sudo)
fi
echo "· installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${run[@]}" apt-get update -qq
"${run[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
