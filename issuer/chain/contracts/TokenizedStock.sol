// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {AccessControlEnumerable} from "@openzeppelin/contracts/access/extensions/AccessControlEnumerable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @notice The part of ERC-8056 that every token with a multiplier has; its ERC-165 id is 0xa60bf13d.
interface IScaledUIAmount {
    /// @notice A change was scheduled: `newMultiplier` follows `oldMultiplier` at `effectiveAtTimestamp`.
    event UIMultiplierUpdated(uint256 oldMultiplier, uint256 newMultiplier, uint256 effectiveAtTimestamp);

    /// @notice Shares per token now, with 18 decimals.
    function uiMultiplier() external view returns (uint256);
}

/// @notice The part of ERC-8056 that announces a change before it holds; its ERC-165 id is 0x4bd27648.
interface IScaledUIAmountNewUIMultiplier {
    /// @notice The multiplier scheduled last, whether it holds already or not.
    function newUIMultiplier() external view returns (uint256);

    /// @notice When the multiplier scheduled last takes effect, in seconds since 1970; 0 if none ever was.
    function effectiveAt() external view returns (uint256);
}

/// @title A token that stands for a number of shares of one company
/// @notice One token is `uiMultiplier()` shares. Balances and the supply never rebase: dividends and
/// splits move the multiplier alone.
/// @dev Six roles, meant for six different holders:
///
/// - `DEFAULT_ADMIN_ROLE` grants and revokes roles, and can do nothing else;
/// - `MINTER_ROLE` mints;
/// - `BURNER_ROLE` burns tokens that it holds itself, which is how returned tokens disappear;
/// - `PAUSER_ROLE` stops things: everybody by `pause`, one address by `blockAddress`; it moves nothing;
/// - `MULTIPLIER_ROLE` schedules the multiplier;
/// - `SEIZER_ROLE` burns the tokens of a blocked address. As it cannot block, a stolen key of it seizes
///   from nobody whom another person has not blocked.
///
/// Every mint, burn and seizure carries the `requestId` of the issuer's books and uses it up, so one
/// request can never move the supply twice, and a stranger can match each event to a request.
///
/// A pause stops transfers, mints and burns. It does not stop seizures: a pause is what an incident
/// calls for first, and a seizure is its remedy; lifting the pause for it would let the thief run.
contract TokenizedStock is ERC20, AccessControlEnumerable, Pausable, IScaledUIAmount, IScaledUIAmountNewUIMultiplier {
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");
    bytes32 public constant BURNER_ROLE = keccak256("BURNER_ROLE");
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    bytes32 public constant MULTIPLIER_ROLE = keccak256("MULTIPLIER_ROLE");
    bytes32 public constant SEIZER_ROLE = keccak256("SEIZER_ROLE");

    /// @notice Whether an address may neither send, receive nor spend for others.
    mapping(address account => bool) public isBlocked;

    /// @notice Whether a mint, a burn or a seizure has used this id up.
    mapping(bytes32 requestId => bool) public isRequestIdUsed;

    uint256 private _multiplierBefore = 1e18;
    uint256 private _multiplierAfter = 1e18;
    uint256 private _effectiveAt;

    event Minted(bytes32 indexed requestId, address indexed to, uint256 amount);
    event Burned(bytes32 indexed requestId, address indexed from, uint256 amount);
    event Seized(bytes32 indexed requestId, address indexed from, uint256 amount);
    event AddressBlocked(address indexed account);
    event AddressUnblocked(address indexed account);

    error AmountIsZero();
    error RequestIdIsZero();
    error RequestIdAlreadyUsed(bytes32 requestId);
    error AddressIsBlocked(address account);
    error AddressIsNotBlocked(address account);
    error MultiplierIsZero();
    error EffectiveAtNotInFuture(uint256 effectiveAt);

    /// @param admin Receives `DEFAULT_ADMIN_ROLE`; all other roles are granted by it.
    constructor(string memory name_, string memory symbol_, address admin) ERC20(name_, symbol_) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @notice Create `amount` base units for `to`.
    function mint(address to, uint256 amount, bytes32 requestId) external onlyRole(MINTER_ROLE) {
        _useUp(requestId, amount);
        _mint(to, amount);
        emit Minted(requestId, to, amount);
    }

    /// @notice Destroy `amount` base units of the caller's own.
    function burn(uint256 amount, bytes32 requestId) external onlyRole(BURNER_ROLE) {
        _useUp(requestId, amount);
        _burn(_msgSender(), amount);
        emit Burned(requestId, _msgSender(), amount);
    }

    /// @notice Destroy `amount` base units of a blocked address; works while paused.
    function seize(address from, uint256 amount, bytes32 requestId) external onlyRole(SEIZER_ROLE) {
        if (!isBlocked[from]) revert AddressIsNotBlocked(from);
        _useUp(requestId, amount);
        // Past the checks of this contract's own `_update`, which exist to stop exactly `from`.
        ERC20._update(from, address(0), amount);
        emit Seized(requestId, from, amount);
    }

    /// @notice Stop `account` from sending, receiving and spending for others.
    function blockAddress(address account) external onlyRole(PAUSER_ROLE) {
        if (isBlocked[account]) revert AddressIsBlocked(account);
        isBlocked[account] = true;
        emit AddressBlocked(account);
    }

    /// @notice Let `account` go on.
    function unblockAddress(address account) external onlyRole(PAUSER_ROLE) {
        if (!isBlocked[account]) revert AddressIsNotBlocked(account);
        isBlocked[account] = false;
        emit AddressUnblocked(account);
    }

    /// @notice Stop transfers, mints and burns.
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    /// @notice Allow transfers, mints and burns again.
    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    /// @notice Schedule `newMultiplier` (shares per token, 18 decimals) for `effectiveAtTimestamp`.
    /// @dev Replaces a change that is still pending; scheduling the present multiplier withdraws it.
    function setUIMultiplier(uint256 newMultiplier, uint256 effectiveAtTimestamp) external onlyRole(MULTIPLIER_ROLE) {
        if (newMultiplier == 0) revert MultiplierIsZero();
        if (effectiveAtTimestamp <= block.timestamp) revert EffectiveAtNotInFuture(effectiveAtTimestamp);
        uint256 oldMultiplier = uiMultiplier();
        _multiplierBefore = oldMultiplier;
        _multiplierAfter = newMultiplier;
        _effectiveAt = effectiveAtTimestamp;
        emit UIMultiplierUpdated(oldMultiplier, newMultiplier, effectiveAtTimestamp);
    }

    /// @inheritdoc IScaledUIAmount
    function uiMultiplier() public view returns (uint256) {
        return block.timestamp < _effectiveAt ? _multiplierBefore : _multiplierAfter;
    }

    /// @inheritdoc IScaledUIAmountNewUIMultiplier
    function newUIMultiplier() external view returns (uint256) {
        return _multiplierAfter;
    }

    /// @inheritdoc IScaledUIAmountNewUIMultiplier
    function effectiveAt() external view returns (uint256) {
        return _effectiveAt;
    }

    /// @dev ERC-165.
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IScaledUIAmount).interfaceId
            || interfaceId == type(IScaledUIAmountNewUIMultiplier).interfaceId
            || super.supportsInterface(interfaceId);
    }

    /// @dev Every transfer, mint and burn passes here; a seizure goes round it.
    function _update(address from, address to, uint256 value) internal override whenNotPaused {
        if (isBlocked[from]) revert AddressIsBlocked(from);
        if (isBlocked[to]) revert AddressIsBlocked(to);
        if (isBlocked[_msgSender()]) revert AddressIsBlocked(_msgSender());
        super._update(from, to, value);
    }

    /// @dev An amount of zero would use an id up for nothing, and leave an event that says so little
    /// that no book could post it.
    function _useUp(bytes32 requestId, uint256 amount) private {
        if (amount == 0) revert AmountIsZero();
        if (requestId == bytes32(0)) revert RequestIdIsZero();
        if (isRequestIdUsed[requestId]) revert RequestIdAlreadyUsed(requestId);
        isRequestIdUsed[requestId] = true;
    }
}
