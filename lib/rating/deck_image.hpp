// The rates of a deck in a file that is read without parsing, sorting or hashing anything.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "tandem/error.hpp"
#include "tandem/rating.hpp"

namespace tandem::rating {

/// Takes a piece of an image. Errors: of whoever takes it.
using ImageSink = std::function<Result<void>(std::uint64_t offset, std::string_view bytes)>;

/// Gives the image of a deck's rates to `sink`: pieces in the order of the file, at last once more
/// its beginning, which makes it one. Id, currency and schedule of the deck are not in it.
/// `digest`: what read_deck_image() asks for, 64 characters. Errors: invalid_argument (the digest,
/// or what the CSV form could not hold either), limit (more sections, terms or texts than an image
/// can address), those of the sink.
Result<void> write_deck_image(const RateDeck& deck, std::string_view digest, const ImageSink& sink);

/// The deck of an image, whose bytes may be any. Errors: corrupt (what is there is no whole image,
/// or one of other rates than `digest`), unsupported (one of another form or release).
Result<RateDeck> read_deck_image(std::string_view image, std::string_view digest, std::string id,
                                 std::string currency);

/// Whether two decks have the same rates, field for field.
[[nodiscard]] bool have_equal_rates(const RateDeck& a, const RateDeck& b) noexcept;

}  // namespace tandem::rating
