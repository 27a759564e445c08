# What a bare Debian 12 lacks.  Sourced by ./run and ./check.
BUILD_PACKAGES=(
  gcc libc6-dev meson ninja-build pkg-config python3
  libmicrohttpd-dev liblmdb-dev libzstd-dev libsnappy-dev zlib1g-dev libyaml-dev libxxhash-dev
  libroaring-dev
)
TEST_PACKAGES=(
  binutils clang libclang-rt-14-dev clang-format-14 libcmocka-dev golang-go curl libpcre2-dev
  python3-pytest python3-requests python3-snappy python3-yaml python3-zstandard
)
# Node.js comes with npm where it is not Debian's; the two must not be mixed.
command -v node >/dev/null || TEST_PACKAGES+=(nodejs)
command -v npm >/dev/null || TEST_PACKAGES+=(npm)

# install_missing REASON PACKAGE...: says what and why, then installs; respects $NO_INSTALL.
install_missing() {
  local reason=$1 missing=() package
  shift
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
      missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ -n "${NO_INSTALL:-}" ]; then
    echo "Missing Debian packages ($reason): ${missing[*]}" >&2
    return 1
  fi
  echo "Installing Debian packages ($reason): ${missing[*]}"
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
