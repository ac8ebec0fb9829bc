//! The close of each object at each stage of a connection over the network, in every order that a seed gives.
