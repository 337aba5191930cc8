#include "switch/deck_source.hpp"

#include <openssl/evp.h>

#include <array>
#include <string_view>

namespace tandem {

std::string digest_of_text(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < length; ++i) {
    constexpr std::string_view digits = "0123456789abcdef";
    hex += digits[digest[i] >> 4];
    hex += digits[digest[i] & 15];
  }
  return hex;
}

Result<RateDeck> DeckSource::read_image(const std::string& id, const std::string& currency,
                                        const DeckVersion& version) {
  if (images_ == nullptr || version.rows < DeckImages::rates_min)
    return Error{ErrorCode::not_found, "no image was looked for"};
  auto deck = images_->read(version.digest, id, currency);
  if (!deck || deck->size() == version.rows) return deck;
  return Error{ErrorCode::corrupt, "image of a rate deck had " + std::to_string(deck->size()) +
                                       " rates and not " + std::to_string(version.rows)};
}

Result<RateDeck> DeckSource::read(const std::string& id, const std::string& currency,
                                  const DeckVersion& version) {
  const std::int64_t begun_us = clock_.monotonic_us();
  auto image = read_image(id, currency, version);
  {
    const std::lock_guard guard(mutex_);
    if (image) {
      ++reading_.from_images;
      reading_.images_us += clock_.monotonic_us() - begun_us;
      return image;
    }
    if (image.error().code != ErrorCode::not_found) {
      refused_.insert(version.digest);
      if (reading_.refusals.size() < refusals_max)
        reading_.refusals.push_back("rate deck \"" + id + "\": " + image.error().message);
    }
  }
  const std::int64_t text_us = clock_.monotonic_us();
  auto csv = store_->rates(id, version.number);
  if (!csv) return std::move(csv).error();
  auto rates = parse_deck_csv(*csv, "rate deck \"" + id + "\"");
  if (!rates) return std::move(rates).error();
  *csv = {};
  RateDeck::Builder builder(id, currency);
  builder.reserve(rates->size());
  for (std::size_t i = 0; i < rates->size(); ++i) {
    if (auto added = builder.add(std::move((*rates)[i])); !added) {
      return Error{added.error().code, "rate deck \"" + id + "\": rate " + std::to_string(i) +
                                           ": " + added.error().message};
    }
  }
  auto deck = builder.build();
  const std::lock_guard guard(mutex_);
  ++reading_.from_texts;
  reading_.texts_us += clock_.monotonic_us() - text_us;
  return deck;
}

DeckReading DeckSource::reading() const {
  const std::lock_guard guard(mutex_);
  return reading_;
}

Result<std::vector<DeckSource::Wanted>> DeckSource::sweep(std::vector<Wanted> wanted) {
  std::set<std::string> digests;
  for (const Wanted& one : wanted)
    digests.insert(one.digest);
  auto kept = images_->keep_only(digests);
  if (!kept) return std::move(kept).error();
  {
    const std::lock_guard guard(mutex_);
    for (const std::string& digest : refused_)
      kept->erase(digest);
    refused_.clear();
  }
  // Of decks with the same rates the first is enough.
  std::erase_if(wanted, [&](const Wanted& one) { return !kept->insert(one.digest).second; });
  return wanted;
}

Result<void> DeckSource::write_image(const Wanted& wanted) {
  if (digest_of_text(to_csv(wanted.deck)) != wanted.digest) return {};
  return images_->write(wanted.deck, wanted.digest);
}

}  // namespace tandem
