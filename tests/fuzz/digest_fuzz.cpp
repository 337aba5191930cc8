// Any bytes as challenge and as credentials: neither crashes, and an answer to a challenge can be
// read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sip/digest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem::sip;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  tandem::SeededRandom random(1);
  const auto answer =
      answer_challenge(text, "alice", "secret", "INVITE", "sip:1@192.0.2.1", 1, random);
  if (answer.ok() && answer->value.size() <= 4096 && !parse_digest(answer->value).ok())
    std::abort();
  const DigestServer server(DigestServer::Secret{});
  DigestServer::Request request;
  request.authorization = text;
  request.method = "INVITE";
  request.uri = "sip:1@192.0.2.1";
  if (server.verify(request, "alice", "secret", "tandem") == DigestVerdict::verified) std::abort();
  return 0;
}
