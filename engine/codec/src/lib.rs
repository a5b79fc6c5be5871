//! The value codec between canonical ABI and bytes.
