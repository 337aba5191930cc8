#include "http/server.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace tandem::http {

namespace {

constexpr std::size_t piece_bytes = std::size_t{64} << 10;
constexpr std::int64_t write_retry_us =
    10'000;  // the stream has no event for "there is room again"

/// Bytes that somebody holds, for as long as it lives.
class Claim {
 public:
  Claim(std::shared_ptr<std::atomic<std::size_t>> held_bytes, std::size_t bytes)
      : held_bytes_(std::move(held_bytes)), bytes_(bytes) {
    *held_bytes_ += bytes_;
  }
  ~Claim() { *held_bytes_ -= bytes_; }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

 private:
  const std::shared_ptr<std::atomic<std::size_t>> held_bytes_;
  const std::size_t bytes_;
};

Response refusal(int status, const std::string& text) {
  return {status, "text/plain", text + "\n", {}};
}

}  // namespace

/// One client. It ends by retire(), which destroys it at the end of the turn.
class Server::Connection final : private io::StreamHandler {
 public:
  Connection(Server& server, std::uint64_t number, std::unique_ptr<io::StreamConnection> stream)
      : server_(server),
        number_(number),
        stream_(std::move(stream)),
        reader_([&server](const Request& head) { return server.body_limit(head); }),
        deadline_(Timer::member<&Connection::on_deadline, Connection>(), this),
        write_again_(Timer::member<&Connection::write, Connection>(), this),
        next_piece_(Timer::member<&Connection::send_next_piece, Connection>(), this) {
    start_deadline(head_us);
    stream_->set_handler(*this);
  }
  ~Connection() override {
    if (body_ != nullptr) --server_.counters_.streams;
  }

  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] bool is_known() const noexcept { return is_known_; }

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
    next_piece_.cancel();
    server_.retire(number_);
  }

  [[nodiscard]] bool is_writing() const noexcept { return written_ < out_.size(); }

  void serve() {
    while (!is_writing() && !is_last_) {
      const auto outcome = reader_.read();
      judge_head();
      reserve_large_body();
      switch (outcome) {
        case RequestReader::Outcome::incomplete:
          return;
        case RequestReader::Outcome::wants_continue:
          send("HTTP/1.1 100 Continue\r\n\r\n", false);
          break;
        case RequestReader::Outcome::refused:
          ++server_.counters_.requests_refused;
          send(to_wire(refusal(reader_.status(), reader_.reason()), false, false), true);
          return;
        case RequestReader::Outcome::complete:
          answer();
          break;
      }
    }
  }

  /// Once for each head that is read while its body is on the way.
  void judge_head() {
    if (is_head_judged_ || !reader_.has_head()) return;
    is_head_judged_ = true;
    is_known_ = is_known_ || server_.knows(reader_.request());
    start_deadline(idle_us);
  }

  /// A long body counts from its head to its answer, and gets the time that its bytes take at 1
  /// MB/s.
  void reserve_large_body() {
    const std::size_t bytes = reader_.body_bytes();
    if (claim_ != nullptr || bytes <= RequestReader::body_bytes_max) return;
    claim_ = std::make_shared<Claim>(server_.large_bodies_bytes_, bytes);
    start_deadline(idle_us + static_cast<std::int64_t>(bytes));
  }

  void answer() {
    ++server_.counters_.requests;
    Request& request = reader_.request();
    request.body_claim = std::exchange(claim_, nullptr);
    Response response;
    try {
      response = server_.answer_(request);
    } catch (const std::exception&) {  // out of memory: this request fails, the server goes on
      response = refusal(500, "request could not be answered");
    }
    const bool keeps_alive = request.keeps_alive && response.stream == nullptr;
    std::string wire = to_wire(response, keeps_alive, request.method == "HEAD");
    body_ = std::move(response.stream);
    if (body_ != nullptr) ++server_.counters_.streams;
    reader_.take();
    is_head_judged_ = false;
    send(std::move(wire), !keeps_alive);
  }

  /// Asks the stream when the client has taken what was sent before.
  void send_next_piece() {
    std::string piece;
    try {
      piece = body_->next(server_.loop_.clock().monotonic_us());
    } catch (const std::exception&) {  // out of memory: this client goes
      return end();
    }
    if (!piece.empty()) return send(std::move(piece), true);
    if (body_->is_over()) {
      start_deadline(linger_us);
    } else {
      server_.loop_.timers().start(next_piece_, stream_poll_us);
    }
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
    if (body_ != nullptr) {
      // A dead reader is noticed by what cannot be written, comments of the stream included.
      deadline_.cancel();
      server_.loop_.timers().start(next_piece_, stream_poll_us);
    } else if (is_last_) {
      // Closing at once could cut what is still on its way; the client closes when it has read all.
      start_deadline(linger_us);
    }
  }

  Server& server_;
  const std::uint64_t number_;
  std::unique_ptr<io::StreamConnection> stream_;
  RequestReader reader_;
  std::string out_;  // the answer being sent, from written_ on
  std::size_t written_ = 0;
  std::shared_ptr<const Claim> claim_;  // of the request that is being read, when it is long
  bool is_head_judged_ = false;         // of the request that is being read
  bool is_known_ = false;               // one of its heads showed who the client is
  bool is_last_ = false;                // nothing is read any more
  std::unique_ptr<Stream> body_;        // of the last answer
  Timer deadline_;
  Timer write_again_;
  Timer next_piece_;
};

Server::Server(io::Loop& loop, Answer answer, RequestReader::BodyLimit body_limit, Knows knows)
    : loop_(loop),
      answer_(std::move(answer)),
      body_limit_(std::move(body_limit)),
      knows_(std::move(knows)) {}

Server::~Server() { *is_alive_ = false; }

Result<std::unique_ptr<Server>> Server::create(io::Loop& loop, const SocketAddress& local,
                                               Answer answer, RequestReader::BodyLimit body_limit,
                                               Knows knows) {
  std::unique_ptr<Server> server(
      new Server(loop, std::move(answer), std::move(body_limit), std::move(knows)));
  auto listener = loop.listen(local, false, *server);
  if (!listener) return std::move(listener).error();
  server->listener_ = std::move(listener).value();
  return server;
}

std::size_t Server::body_limit(const Request& head) const {
  const std::size_t usual = RequestReader::body_bytes_max;
  const std::size_t wanted = body_limit_ ? body_limit_(head) : usual;
  return std::max(
      usual, std::min(wanted, large_bodies_bytes_max -
                                  std::min(large_bodies_bytes_max, large_bodies_bytes_->load())));
}

void Server::on_accept(std::unique_ptr<io::StreamConnection> stream) {
  if (connections_.size() >= connections_max && !make_room()) {
    ++counters_.connections_refused;
    return;  // closes it
  }
  connections_.push_back(std::make_unique<Connection>(*this, ++last_number_, std::move(stream)));
}

/// Drops the oldest stranger; no handler of a connection runs meanwhile. False: there is none.
bool Server::make_room() {
  const auto oldest = std::find_if(connections_.begin(), connections_.end(),
                                   [](const auto& one) { return !one->is_known(); });
  if (oldest == connections_.end()) return false;
  connections_.erase(oldest);
  ++counters_.connections_dropped;
  return true;
}

void Server::retire(std::uint64_t number) {
  // Its own handler is running, so it goes at the end of the turn.
  loop_.defer([this, alive = is_alive_, number] {
    if (!*alive) return;
    std::erase_if(connections_, [number](const auto& kept) { return kept->number() == number; });
  });
}

}  // namespace tandem::http
