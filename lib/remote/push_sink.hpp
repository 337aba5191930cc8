// CDRs to a server by HTTP POST.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "cdr/built_in_sink.hpp"
#include "http/signed_post.hpp"
#include "remote/http_exchange.hpp"
#include "remote/kept_place.hpp"
#include "tandem/cdr_push.hpp"

namespace tandem::remote {

using http::push_signature;

/// Sends a batch in requests of bounded size. A batch that fails in the middle goes on where it
/// was, after a restart too.
class PushSink final : public cdr::BuiltInSink {
 public:
  static constexpr std::size_t body_bytes = std::size_t{1}
                                            << 20;  ///< No record is begun behind it.

  /// `clock` outlives the sink. `dialer`: connections without TLS. Errors: those of
  /// make_cdr_push_sink().
  static Result<std::unique_ptr<PushSink>> open(CdrPushConfig config,
                                                std::shared_ptr<cdr::Disk> disk, const Clock& clock,
                                                std::unique_ptr<Dialer> dialer);

  void set_pace(cdr::SinkRunnerOptions& options) const override;
  Result<std::uint64_t> position() override;
  Result<void> write_batch(std::span<const cdr::RecordView> records,
                           std::uint64_t through) override;

 private:
  PushSink(CdrPushConfig config, const Clock& clock, std::unique_ptr<Dialer> dialer, HttpUrl url,
           KeptPlace place);
  Result<void> post(std::string_view body, std::uint64_t first, std::uint64_t last);
  [[nodiscard]] std::string request_for(std::string_view body, std::uint64_t first,
                                        std::uint64_t last) const;
  Result<void> judge(const http::ReceivedResponse& response);

  const CdrPushConfig config_;
  const Clock& clock_;
  const std::unique_ptr<Dialer> dialer_;
  const HttpUrl url_;
  const std::string shown_url_;  // without what may be a key
  HttpExchange exchange_;
  KeptPlace place_;
  // Not behind the place: the disk may have refused that after the server took the records.
  std::uint64_t acknowledged_;
  std::int64_t not_before_us_ = 0;  // monotonic: the server asked for a pause
};

}  // namespace tandem::remote
