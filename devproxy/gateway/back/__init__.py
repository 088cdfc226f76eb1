"""The upstream's side: connections to servers, how they are found, kept and waited for."""
