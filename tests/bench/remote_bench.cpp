#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "http/message.hpp"
#include "remote/push_sink.hpp"
#include "remote/sql_factories.hpp"
#include "unit/cdr/fault_disk.hpp"
#include "unit/cdr/sample_cdr.hpp"
#include "unit/remote/database_server.hpp"

namespace tandem::bench {
namespace {

using cdr::test::FaultDisk;

/// Batches of calls, numbered on and on. The sinks keep their place on a disk in memory: what is
/// measured is the other machine.
class Feed {
 public:
  Feed() {
    SeededRandom random(1);
    for (std::size_t i = 0; i < 4'096; ++i)
      payloads_.push_back(cdr::encode(cdr::EndRecord{i, cdr::test::sample_cdr(i, random)}));
  }
  /// Records a second, written `batch_records` at a time for the time of one figure.
  Result<double> per_s(cdr::SinkTarget& sink, std::size_t batch_records) {
    std::vector<cdr::RecordView> batch(batch_records);
    const std::int64_t begin_ns = wall_ns();
    const auto end_ns = begin_ns + static_cast<std::int64_t>(seconds() * 1e9);
    std::uint64_t count = 0;
    while (wall_ns() < end_ns) {
      for (cdr::RecordView& view : batch) {
        view.sequence = ++sequence_;
        view.type = cdr::RecordType::end;
        view.payload = payloads_[sequence_ % payloads_.size()];
      }
      if (auto done = sink.write_batch(batch, sequence_); !done) return std::move(done).error();
      count += batch_records;
    }
    return static_cast<double>(count) * 1e9 / static_cast<double>(wall_ns() - begin_ns);
  }

 private:
  std::vector<std::string> payloads_;
  std::uint64_t sequence_ = 0;
};

/// Whole batches, and one record at a time in the same run.
Figure compare(cdr::SinkTarget& sink, std::size_t batch_records) {
  Feed feed;
  // The first batch makes what is missing.
  if (auto position = sink.position(); !position) return Figure::skipped(position.error().message);
  auto single = feed.per_s(sink, 1);
  if (!single) return Figure::skipped(single.error().message);
  auto batched = feed.per_s(sink, batch_records);
  if (!batched) return Figure::skipped(batched.error().message);
  return Figure(*batched, "{\"batch_records\":" + std::to_string(batch_records) +
                              ",\"peer\":\"one record a commit\",\"peer_per_s\":" +
                              std::to_string(static_cast<long>(*single)) + ",\"ratio\":" +
                              std::to_string(*batched / std::max(*single, 1.0)) + "}");
}

Figure sql_figure(remote::SqlServer kind, remote::test::DatabaseServer& server) {
  SystemClock clock;
  CdrSqlConfig config;
  config.folder = "/sql";
  config.connection = server.connection();
  if (auto checked = remote::make_connector(kind, config, clock); !checked)
    return Figure::skipped(checked.error().message);
  if (const std::string trouble = server.start(); !trouble.empty()) return Figure::skipped(trouble);
  auto sink = remote::open_sql_sink(kind, config, std::make_shared<FaultDisk>(), clock);
  if (!sink) return Figure::skipped(sink.error().message);
  return compare(**sink, static_cast<std::size_t>(config.batch_records));
}

/// Takes one connection and answers every request with 204.
class Acknowledger {
 public:
  Acknowledger() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, any, size) != 0 || ::listen(listener_, 4) != 0 ||
        ::getsockname(listener_, any, &size) != 0)
      return;
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Acknowledger() {
    ::shutdown(listener_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
  }
  Acknowledger(const Acknowledger&) = delete;
  Acknowledger& operator=(const Acknowledger&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  void serve() const {
    const int connection = ::accept(listener_, nullptr, nullptr);
    if (connection < 0) return;
    http::RequestReader reader([](const http::Request&) { return std::size_t{16} << 20; });
    std::vector<char> buffer(256 << 10);
    for (ssize_t n = 0; (n = ::recv(connection, buffer.data(), buffer.size(), 0)) > 0;) {
      if (!reader.append({buffer.data(), static_cast<std::size_t>(n)})) break;
      while (reader.read() == http::RequestReader::Outcome::complete) {
        reader.take();
        constexpr std::string_view answer = "HTTP/1.1 204 No Content\r\n\r\n";
        if (::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) break;
      }
    }
    ::close(connection);
  }
  int listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace

TANDEM_BENCH("cdr.http_sink_per_s", "1/s") {
  SystemClock clock;
  const Acknowledger server;
  CdrPushConfig config;
  config.folder = "/push";
  config.url = "http://127.0.0.1:" + std::to_string(server.port()) + "/cdrs";
  config.secret = "secret";
  auto sink = remote::PushSink::open(config, std::make_shared<FaultDisk>(), clock,
                                     remote::make_tcp_dialer(clock));
  if (!sink) return Figure::skipped(sink.error().message);
  Figure figure = compare(**sink, static_cast<std::size_t>(config.batch_records));
  sink->reset();  // its connection ends, and with it the server
  return figure;
}

TANDEM_BENCH("cdr.postgres_sink_per_s", "1/s") {
  remote::test::PostgresqlServer server;
  return sql_figure(remote::SqlServer::postgresql, server);
}

TANDEM_BENCH("cdr.mariadb_sink_per_s", "1/s") {
  remote::test::MariadbServer server;
  return sql_figure(remote::SqlServer::mariadb, server);
}

}  // namespace tandem::bench
