#include "admin/http_server.hpp"

#include <exception>

namespace tandem::admin {

namespace {

constexpr std::size_t piece_bytes = std::size_t{64} << 10;
constexpr std::int64_t write_retry_us =
    10'000;  // the stream has no event for "there is room again"

HttpResponse refusal(int status, const std::string& text) {
  return {status, "text/plain", text + "\n", {}};
}

}  // namespace

/// One client. It ends by retire(), which destroys it at the end of the turn.
class HttpServer::Connection final : private io::StreamHandler {
 public:
  Connection(HttpServer& server, std::unique_ptr<io::StreamConnection> stream)
      : server_(server),
        stream_(std::move(stream)),
        deadline_(Timer::member<&Connection::on_deadline, Connection>(), this),
        write_again_(Timer::member<&Connection::write, Connection>(), this) {
    start_deadline(idle_us);
    stream_->set_handler(*this);
  }

 private:
  void start_deadline(std::int64_t delay_us) { server_.loop_.timers().start(deadline_, delay_us); }

  void on_bytes(std::string_view bytes) override {
    if (is_last_) return;  // after the last answer the client's rest is read and forgotten
    if (!reader_.append(bytes)) return end();
    serve();
  }

  void on_closed(const Error&) override { end(); }

  void on_deadline() {
    if (!is_last_ || is_writing()) ++server_.counters_.timeouts;
    end();
  }

  void end() {
    deadline_.cancel();
    write_again_.cancel();
    server_.retire(*this);
  }

  [[nodiscard]] bool is_writing() const noexcept { return written_ < out_.size(); }

  void serve() {
    while (!is_writing() && !is_last_) {
      switch (reader_.read()) {
        case HttpRequestReader::Outcome::incomplete:
          return;
        case HttpRequestReader::Outcome::wants_continue:
          send("HTTP/1.1 100 Continue\r\n\r\n", false);
          break;
        case HttpRequestReader::Outcome::refused:
          ++server_.counters_.requests_refused;
          send(to_wire(refusal(reader_.status(), reader_.reason()), false, false), true);
          return;
        case HttpRequestReader::Outcome::complete:
          answer();
          break;
      }
    }
  }

  void answer() {
    ++server_.counters_.requests;
    const HttpRequest& request = reader_.request();
    const bool keeps_alive = request.keeps_alive;
    HttpResponse response;
    try {
      response = server_.answer_(request);
    } catch (const std::exception&) {  // out of memory: this request fails, the server goes on
      response = refusal(500, "request could not be answered");
    }
    std::string wire = to_wire(response, keeps_alive, request.method == "HEAD");
    reader_.take();
    send(std::move(wire), !keeps_alive);
  }

  void send(std::string wire, bool is_last) {
    out_ = std::move(wire);
    written_ = 0;
    is_last_ = is_last;
    start_deadline(idle_us);
    write_pieces();
  }

  void write() {
    write_pieces();
    serve();
  }

  void write_pieces() {
    while (is_writing()) {
      const std::string_view piece = std::string_view(out_).substr(written_, piece_bytes);
      if (auto sent = stream_->send(piece); !sent) {
        if (sent.error().code == ErrorCode::limit) {
          server_.loop_.timers().start(write_again_, write_retry_us);
        } else {
          is_last_ = true;  // on_closed() follows
        }
        return;
      }
      written_ += piece.size();
      start_deadline(idle_us);
    }
    out_ = {};
    written_ = 0;
    // Closing at once could cut what is still on its way; the client closes when it has read all.
    if (is_last_) start_deadline(linger_us);
  }

  HttpServer& server_;
  std::unique_ptr<io::StreamConnection> stream_;
  HttpRequestReader reader_;
  std::string out_;  // the answer being sent, from written_ on
  std::size_t written_ = 0;
  bool is_last_ = false;  // nothing is read any more
  Timer deadline_;
  Timer write_again_;
};

HttpServer::HttpServer(io::Loop& loop, Answer answer) : loop_(loop), answer_(std::move(answer)) {}

HttpServer::~HttpServer() { *is_alive_ = false; }

Result<std::unique_ptr<HttpServer>> HttpServer::create(io::Loop& loop, const SocketAddress& local,
                                                       Answer answer) {
  std::unique_ptr<HttpServer> server(new HttpServer(loop, std::move(answer)));
  auto listener = loop.listen(local, false, *server);
  if (!listener) return std::move(listener).error();
  server->listener_ = std::move(listener).value();
  return server;
}

void HttpServer::on_accept(std::unique_ptr<io::StreamConnection> stream) {
  if (connections_.size() >= connections_max) {
    ++counters_.connections_refused;
    return;  // closes it
  }
  connections_.insert(std::make_unique<Connection>(*this, std::move(stream)));
}

void HttpServer::retire(Connection& connection) {
  // Its own handler is running, so it goes at the end of the turn.
  loop_.defer([this, alive = is_alive_, gone = &connection] {
    if (!*alive) return;
    std::erase_if(connections_, [gone](const auto& kept) { return kept.get() == gone; });
  });
}

}  // namespace tandem::admin
