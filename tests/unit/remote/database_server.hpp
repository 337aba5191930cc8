// Database servers of Debian, started by a test in a folder of their own on a socket in it, as a
// user without rights: they refuse root.
#pragma once

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace tandem::remote::test {

struct Ran {
  int status = -1;
  std::string output;
};

/// Runs a command of the shell to its end.
inline Ran run(const std::string& command) {
  Ran ran;
  FILE* const pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return ran;
  std::array<char, 4096> buffer{};
  for (std::size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    ran.output.append(buffer.data(), n);
  ran.status = pclose(pipe);
  return ran;
}

/// A folder in /tmp that another user may own; sockets have short paths.
class ServerFolder {
 public:
  explicit ServerFolder(const std::string& user) {
    std::string pattern = "/tmp/tandem-db-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) return;
    path_ = pattern;
    if (getuid() == 0) (void)run("chown " + user + " " + path_);
  }
  ~ServerFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  ServerFolder(const ServerFolder&) = delete;
  ServerFolder& operator=(const ServerFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// "" or the command that lets the next one run as `user`.
inline std::string as_user(const std::string& user) {
  return getuid() == 0 ? "runuser -u " + user + " -- " : "";
}

/// What the tests do with a server, whichever it is.
class DatabaseServer {
 public:
  virtual ~DatabaseServer() = default;
  /// "": it runs. Else why not.
  [[nodiscard]] virtual std::string start() = 0;
  /// As a power cut would, without a word.
  virtual void kill() = 0;
  /// Asks as its owner; values and lines come bare.
  [[nodiscard]] virtual std::string ask(const std::string& sql) = 0;
  [[nodiscard]] virtual std::string connection() const = 0;
};

class PostgresqlServer final : public DatabaseServer {
 public:
  ~PostgresqlServer() override {
    if (is_running_) (void)control("stop -m immediate");
  }

  std::string start() override {
    if (binaries_.empty()) {
      binaries_ = run("ls -d /usr/lib/postgresql/*/bin | tail -n 1").output;
      while (binaries_.ends_with('\n'))
        binaries_.pop_back();
      if (!std::filesystem::exists(binaries_ + "/initdb")) return "postgresql is not installed";
      const Ran made = run("cd / && " + as_user("postgres") + binaries_ + "/initdb -D " + data() +
                           " -A trust -U tandem -E UTF8 --locale=C --no-sync");
      if (made.status != 0) return "initdb: " + made.output;
    }
    const Ran ran = control("-w -t 60 -l " + folder_.path() + "/log -o \"-k " + folder_.path() +
                            " -c listen_addresses='' -c max_connections=20\" start");
    is_running_ = ran.status == 0;
    return is_running_ ? "" : "pg_ctl: " + ran.output;
  }
  void kill() override {
    (void)control("-w stop -m immediate");
    is_running_ = false;
  }
  std::string ask(const std::string& sql) override {
    Ran ran = run("PGCLIENTENCODING=UTF8 psql -X -q -A -t -h " + folder_.path() +
                  " -U tandem -v ON_ERROR_STOP=1 postgres <<'SQL'\n" + sql + "\nSQL\n");
    while (ran.output.ends_with('\n'))
      ran.output.pop_back();
    return ran.output;
  }
  std::string connection() const override {
    return "host=" + folder_.path() + " user=tandem dbname=postgres";
  }

 private:
  [[nodiscard]] std::string data() const { return folder_.path() + "/data"; }
  Ran control(const std::string& what) {
    // Its output must not go into the pipe, which the server would hold open.
    return run("cd / && " + as_user("postgres") + binaries_ + "/pg_ctl -s -D " + data() + " " +
               what + " > /dev/null");
  }
  ServerFolder folder_{"postgres"};
  std::string binaries_;
  bool is_running_ = false;
};

class MariadbServer final : public DatabaseServer {
 public:
  ~MariadbServer() override { kill(); }

  std::string start() override {
    const bool is_first = !std::filesystem::exists(data());
    if (is_first) {
      if (!std::filesystem::exists("/usr/sbin/mariadbd")) return "mariadb-server is not installed";
      const Ran made =
          run("cd / && " + as_user("mysql") +
              "mariadb-install-db --no-defaults --auth-root-authentication-method=normal "
              "--skip-test-db --datadir=" +
              data());
      if (made.status != 0) return "mariadb-install-db: " + made.output;
    }
    std::fflush(nullptr);  // else the child would say again what waits here
    pid_ = fork();
    if (pid_ < 0) return "fork failed";
    if (pid_ == 0) {
      const std::string log = folder_.path() + "/log";
      const std::string user = "--user=mysql";
      const std::string data_option = "--datadir=" + data();
      const std::string socket_option = "--socket=" + socket();
      if (freopen(log.c_str(), "a", stdout) == nullptr ||
          freopen(log.c_str(), "a", stderr) == nullptr)
        _exit(1);
      execl("/usr/sbin/mariadbd", "mariadbd", "--no-defaults", user.c_str(), data_option.c_str(),
            socket_option.c_str(), "--skip-networking", "--innodb-buffer-pool-size=64M",
            static_cast<char*>(nullptr));
      _exit(1);
    }
    // The client tries again by itself until the server listens.
    const Ran ready = run("mariadb-admin --no-defaults --socket=" + socket() +
                          " -u root --wait=600 --connect-timeout=60 ping > /dev/null");
    if (ready.status != 0) return "mariadbd: " + ready.output;
    if (is_first)
      (void)ask(
          "CREATE DATABASE tandem; CREATE USER tandem@localhost IDENTIFIED BY 'se cret'; "
          "GRANT ALL ON tandem.* TO tandem@localhost");
    return "";
  }
  void kill() override {
    if (pid_ <= 0) return;
    (void)::kill(pid_, SIGKILL);
    int status = 0;
    (void)waitpid(pid_, &status, 0);
    pid_ = -1;
  }
  std::string ask(const std::string& sql) override {
    const std::string database = sql.starts_with("CREATE DATABASE") ? "" : " tandem";
    Ran ran = run("mariadb --no-defaults --default-character-set=utf8mb4 -N -B -u root --socket=" +
                  socket() + database + " <<'SQL'\n" + sql + "\nSQL\n");
    while (ran.output.ends_with('\n'))
      ran.output.pop_back();
    return ran.output;
  }
  std::string connection() const override {
    return "socket=" + socket() + " user=tandem password='se cret' database=tandem";
  }

 private:
  [[nodiscard]] std::string data() const { return folder_.path() + "/data"; }
  [[nodiscard]] std::string socket() const { return folder_.path() + "/s"; }
  ServerFolder folder_{"mysql"};
  pid_t pid_ = -1;
};

}  // namespace tandem::remote::test
