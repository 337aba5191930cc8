#include "remote/http_exchange.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace tandem::remote {

Result<http::ReceivedResponse> HttpExchange::exchange_once(std::string_view request,
                                                           std::int64_t until_us, bool& has_begun) {
  if (stream_ == nullptr) {
    auto stream = dialer_.connect(url_.host, url_.port, until_us);
    if (!stream) return std::move(stream).error();
    stream_ = std::move(*stream);
  }
  // It is put back when it is of further use.
  std::unique_ptr<ByteStream> stream = std::move(stream_);
  const Result<void> sent = stream->send(request, until_us);
  // A server that refuses a request may answer in the middle of it, and stop reading.
  if (!sent && sent.error().code == ErrorCode::timeout) return sent.error();
  http::ResponseReader reader(response_bytes_max);
  std::array<char, 16 << 10> buffer;
  for (;;) {
    const auto received = stream->receive(buffer.data(), buffer.size(), until_us);
    if (!received) return sent ? received.error() : sent.error();
    const auto outcome =
        *received == 0 ? reader.close() : reader.append({buffer.data(), *received});
    has_begun |= *received != 0;
    if (outcome == http::ResponseReader::Outcome::refused)
      return Error{ErrorCode::io, has_begun ? "response: " + reader.reason()
                                            : "connection ended without a response"};
    if (outcome == http::ResponseReader::Outcome::incomplete) continue;
    http::ReceivedResponse response = std::move(reader.response());
    // Who did not get all of it cannot have taken it.
    if (!sent && response.status < 300)
      return Error{ErrorCode::io, "server answered " + std::to_string(response.status) +
                                      " before it had the whole request"};
    if (reader.take() && response.keeps_alive && sent) stream_ = std::move(stream);
    return response;
  }
}

Result<http::ReceivedResponse> HttpExchange::exchange(std::string_view request,
                                                      std::int64_t until_us) {
  const bool was_used = stream_ != nullptr;
  bool has_begun = false;
  auto response = exchange_once(request, until_us, has_begun);
  // The server closed it while our request was on its way (RFC 9112 section 9.3.1).
  if (!response && was_used && !has_begun && response.error().code != ErrorCode::timeout)
    return exchange_once(request, until_us, has_begun);
  return response;
}

}  // namespace tandem::remote
