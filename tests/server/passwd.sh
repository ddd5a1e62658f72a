# shellcheck shell=bash
# passwd.sh SERVER: users are made, changed and removed from the command line, and the server reads what it has written.
server=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
users=$folder/users

fails()
{
    if "$@" 2>/dev/null; then
        echo "should have failed: $*"
        exit 1
    fi
}

fails "$server" --check-config --users "$users"
echo secret | "$server" passwd --cost least --admin "$users" ann
printf 'pass word' | "$server" passwd --cost least "$users" bob
[[ $("$server" --check-config --users "$users") == *'2 users'* ]]
[[ $(stat -c %a "$users") == 600 ]]
grep -q '^ann:admin:\$argon2id\$' "$users"
grep -q '^bob:user:\$argon2id\$' "$users"
fails grep -q secret "$users"
"$server" passwd --delete "$users" bob
[[ $("$server" --check-config --users "$users") == *'1 users'* ]]
before=$(cat "$users")
fails "$server" passwd --delete "$users" bob
fails "$server" passwd "$users" carl </dev/null
fails "$server" passwd "$users" carl <<<''
fails "$server" passwd "$users" 'a:b' <<<x
fails "$server" passwd "$users" <<<x
[[ $(cat "$users") == "$before" ]]
[[ ! -e $users.new ]]
echo 'rubbish' >>"$users"
fails "$server" --check-config --users "$users"
