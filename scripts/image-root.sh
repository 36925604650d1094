#!/bin/sh
# image-root.sh FOLDER PROGRAM...: the file system of an image, with these programs, the libraries that they are linked
# against, and nothing else: no shell and no package manager for whoever gets in, and a third of the weight.
# Which Debian packages the files came from stays written in dpkg's list, so that a scanner of images knows what to look up.
set -eu
root=$1
shift

# Directories that are links in Debian (/lib -> usr/lib) have to be links here too, before anything is copied through them.
mkdir -p "$root"
for link in /bin /sbin /lib /lib64; do
  if [ -L "$link" ]; then cp -P "$link" "$root$link"; fi
done

# A library is found under a link, sometimes by way of /etc/alternatives; here the link leads straight to the file.
keep() {
  case $1 in /lib/* | /lib64/*) set -- "/usr$1" ;; esac
  if [ -e "$root$1" ] || [ -L "$root$1" ]; then return; fi
  mkdir -p "$root$(dirname "$1")"
  if [ -L "$1" ]; then
    ln -s "$(readlink -f "$1")" "$root$1"
    keep "$(readlink -f "$1")"
  else
    cp -a "$1" "$root$1"
    printf '%s\n' "$1" >>/tmp/kept
  fi
}

: >/tmp/kept
for program in "$@"; do
  keep "$program"
  # A program that is linked statically has no libraries, which ldd calls a failure.
  ldd "$program" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do keep "$library"; done
done
# Certificates are for programs that speak TLS with the system's list; Node brings its own.
keep /etc/os-release
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then keep /etc/ssl/certs/ca-certificates.crt; fi

mkdir -p "$root/etc" "$root/var/lib/dpkg"
printf 'root:x:0:0::/:/nonexistent\napp:x:10001:10001::/tmp:/nonexistent\n' >"$root/etc/passwd"
printf 'root:x:0:\napp:x:10001:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
# The scratch volume is mounted here; Fargate gives a volume the owner and mode that the image has at this place.
mkdir -p "$root/tmp"
chmod 1777 "$root/tmp"

# dpkg knows a file by the name under which its package put it there, with or without the leading /usr.
while read -r file; do
  dpkg-query -S "$file" 2>/dev/null || dpkg-query -S "${file#/usr}" 2>/dev/null || true
done </tmp/kept | cut -d: -f1 | sort -u | while read -r package; do
  dpkg-query -s "$package"
  echo
done >"$root/var/lib/dpkg/status"
rm /tmp/kept
