#include "http/client.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace tandem::http {

Result<ClientTls> open_client_tls(const HttpsConfig& https, const std::string& folder) {
  if (!https.is_on) return ClientTls{};
  TlsConfig files;
  files.ca = https.ca;
  files.certificate = https.certificate;
  files.key = https.key;
  std::string_view key;
  auto context = io::TlsContext::create(io::resolved_tls(files, folder), key);
  if (context) return ClientTls{std::move(*context), https.name};
  Error error = std::move(context).error();
  if (!key.empty()) error.message = "tls_" + std::string(key) + ": " + error.message;
  return error;
}

std::string host_of(const std::string& name, const SocketAddress& server) {
  if (name.empty()) return server.to_string();
  return server.port == 443 ? name : name + ':' + std::to_string(server.port);
}

/// One connection, with at most one request under way.
class Client::Connection final : private io::StreamHandler {
 public:
  explicit Connection(Client& client)
      : client_(client),
        reader_(client.limits_.body_bytes_max),
        idle_(Timer::member<&Connection::end, Connection>(), this) {}

  /// Errors: io (no descriptor).
  Result<void> open() {
    const ClientTls& tls = client_.tls_;
    is_made_ = tls.context == nullptr;
    auto stream = is_made_ ? client_.loop_.connect(client_.server_, *this)
                           : tls.context->connect(client_.loop_, client_.server_,
                                                  {tls.name, true, true}, *this);
    if (!stream) return stream.error();
    stream_ = std::move(*stream);
    return {};
  }

  [[nodiscard]] bool is_free() const noexcept { return !current_; }
  [[nodiscard]] bool is_asking(std::uint64_t id) const noexcept {
    return current_ && current_->id == id;
  }

  void ask(Waiting request) {
    idle_.cancel();
    current_ = std::move(request);
    if (is_made_) send();
  }

  /// Without a word to whoever asked.
  void end() {
    current_.reset();
    idle_.cancel();
    client_.retire(*this);
  }

 private:
  /// The queue of a connection holds any request; a closed one tells so by on_closed().
  void send() { (void)stream_->send(current_->request); }

  void on_connected() override {
    if (std::exchange(is_made_, true)) return;
    if (current_) send();
  }

  void on_bytes(std::string_view bytes) override {
    if (!current_) return end();  // nothing was asked for
    read(reader_.append(bytes));
  }

  void on_closed(const Error& error) override {
    if (!current_) return end();
    if (was_used_ && reader_.is_idle()) {
      // The server closed it while our request was on its way (RFC 9112 section 9.3.1).
      client_.waiting_.push_front(std::move(*current_));
      end();
      client_.dispatch_later();
      return;
    }
    if (reader_.is_idle()) return fail(error.message);
    read(reader_.close());
  }

  void read(ResponseReader::Outcome outcome) {
    if (outcome == ResponseReader::Outcome::incomplete) return;
    if (outcome == ResponseReader::Outcome::refused) return fail(reader_.reason());
    const std::uint64_t id = current_->id;
    ReceivedResponse response = std::move(reader_.response());
    current_.reset();
    was_used_ = true;
    if (reader_.take() && response.keeps_alive) {
      client_.loop_.timers().start(idle_, client_.limits_.idle_us);
    } else {
      end();
    }
    client_.dispatch_later();
    client_.events_.on_response(id, response);
  }

  void fail(std::string_view reason) {
    const std::uint64_t id = current_->id;
    const std::string text(reason);
    end();
    client_.dispatch_later();
    client_.events_.on_failure(id, text);
  }

  Client& client_;
  std::unique_ptr<io::StreamConnection> stream_;
  ResponseReader reader_;
  std::optional<Waiting> current_;
  bool is_made_ = true;    // requests can be sent: a TLS handshake is over
  bool was_used_ = false;  // a response came on it
  Timer idle_;
};

Client::Client(io::Loop& loop, const SocketAddress& server, const ClientLimits& limits,
               ClientEvents& events, ClientTls tls)
    : loop_(loop), server_(server), limits_(limits), events_(events), tls_(std::move(tls)) {}

Client::~Client() { *is_alive_ = false; }

bool Client::ask(std::uint64_t id, std::string request) {
  if (waiting_.size() >= limits_.waiting_max) return false;
  waiting_.push_back({id, std::move(request)});
  dispatch_later();
  return true;
}

void Client::forget(std::uint64_t id) {
  std::erase_if(waiting_, [id](const Waiting& one) { return one.id == id; });
  const auto asking = std::find_if(connections_.begin(), connections_.end(),
                                   [id](const auto& one) { return one->is_asking(id); });
  if (asking == connections_.end()) return;
  (*asking)->end();
  dispatch_later();
}

/// Once a turn, so that what is asked in one turn finds the connections that became free in it.
void Client::dispatch_later() {
  if (std::exchange(is_dispatching_, true)) return;
  loop_.defer([this, alive = is_alive_] {
    if (*alive) dispatch();
  });
}

void Client::dispatch() {
  is_dispatching_ = false;
  while (!waiting_.empty()) {
    const auto free = std::find_if(connections_.begin(), connections_.end(),
                                   [](const auto& one) { return one->is_free(); });
    Connection* connection = free == connections_.end() ? nullptr : free->get();
    if (connection == nullptr) {
      if (connections_.size() >= limits_.connections_max) return;
      auto made = std::make_unique<Connection>(*this);
      if (auto opened = made->open(); !opened) {
        const Waiting lost = std::move(waiting_.front());
        waiting_.pop_front();
        events_.on_failure(lost.id, opened.error().message);
        continue;
      }
      connection = made.get();
      connections_.push_back(std::move(made));
    }
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    connection->ask(std::move(next));
  }
}

void Client::retire(Connection& connection) {
  const auto found = std::find_if(connections_.begin(), connections_.end(),
                                  [&](const auto& one) { return one.get() == &connection; });
  if (found == connections_.end()) return;
  // Its own handler is running, so it goes at the end of the turn.
  retired_.push_back(std::move(*found));
  connections_.erase(found);
  if (retired_.size() > 1) return;
  loop_.defer([this, alive = is_alive_] {
    if (*alive) retired_.clear();
  });
}

}  // namespace tandem::http
