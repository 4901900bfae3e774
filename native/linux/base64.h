// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace concierge {

constexpr size_t Base64Length(size_t bytes) { return (bytes + 2) / 3 * 4; }

// Writes the base64 (RFC 4648, with padding) of `length` bytes to `text`, which has room for Base64Length(length).
void EncodeBase64(const uint8_t* bytes, size_t length, char* text);

}  // namespace concierge
